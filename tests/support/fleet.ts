/**
 * A group of proxies in a PostgreSQL of a test's own.
 *
 * @module
 */
import { FLEET_SCHEMA, FleetLink, type FleetLinkOptions } from "../../lib/fleet/mod.ts";
import type { TestPostgres } from "./postgres.ts";

/** What roles of proxies log in with. */
export const ROLE_PASSWORD = "of a test";

/** Makes the tables, groups, and a role for each proxy of each. */
export async function createFleet(
  postgres: TestPostgres,
  groups: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const statements = Object.entries(groups).flatMap(([group, roles]) => [
    `SELECT mc_proxy_fleet.create_group('${group}');`,
    ...roles.flatMap((role) => [
      `CREATE ROLE ${role} LOGIN PASSWORD '${ROLE_PASSWORD}';`,
      `SELECT mc_proxy_fleet.admit('${group}', '${role}');`,
    ]),
  ]);
  await postgres.run([FLEET_SCHEMA, ...statements].join("\n"));
}

/** How a proxy of a group connects. */
export function linkOptions(
  { address }: TestPostgres,
  { group = "edge", role }: { readonly group?: string; readonly role: string },
): FleetLinkOptions {
  const { host, port, database } = address;
  return {
    server: { host, port, database, user: role, password: ROLE_PASSWORD },
    group,
    proxy: role,
  };
}

/** A connection of a proxy to its group. */
export function openLink(
  postgres: TestPostgres,
  options: { readonly group?: string; readonly role: string },
): FleetLink {
  return new FleetLink(linkOptions(postgres, options));
}
