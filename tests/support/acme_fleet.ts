/**
 * A group of proxies that have their certificates from a CA of a test.
 *
 * @module
 */
import { setTimeout as timer } from "node:timers/promises";
import { type FleetMember, type MemberOptions, startMember } from "./fleet.ts";
import type { Pebble } from "./pebble.ts";
import type { TestPostgres } from "./postgres.ts";

/** What a proxy with {@link startOrderer} is like. */
export interface OrdererOptions extends Omit<MemberOptions, "folder" | "routes" | "more"> {
  /** Where folders of all members are. */
  readonly root: string;
  /** Whose certificate is ordered. Default: `a.example`. */
  readonly hostnames?: readonly string[];
  /** How names are proved. */
  readonly challenge?: "http-01" | "tls-alpn-01";
  /** Where it redirects plain HTTP. */
  readonly httpPort?: number;
  /** What it shares certificates with; absent: nothing. */
  readonly shareKeys?: readonly string[];
}

/** An order takes as long as it takes, and not a second more each time that somebody looks. */
async function soon(ms: number, signal: AbortSignal): Promise<void> {
  await timer(Math.min(ms, 100), undefined, { signal });
}

/** Starts a member that orders certificates; its folder stays for another start. */
export async function startOrderer(
  { postgres, pebble }: {
    readonly postgres: TestPostgres;
    readonly pebble: Pick<Pebble, "directory" | "caFile">;
  },
  options: OrdererOptions,
): Promise<FleetMember> {
  const { root, hostnames = ["a.example"], challenge = "tls-alpn-01", httpPort, ...member } =
    options;
  const { shareKeys } = options;
  const folder = `${root}/${options.role}`;
  await Deno.mkdir(folder, { recursive: true });
  const routes = hostnames.map((hostname) =>
    `[[listeners.routes]]
    hostname = "${hostname}"
    backend = "127.0.0.1:9"
    mode = "l7"
    tls_cert = "acme"`
  );
  const keyFile = `${folder}/share.key`;
  if (shareKeys !== undefined) {
    await Deno.writeTextFile(keyFile, `${shareKeys.join("\n")}\n`, { mode: 0o600 });
  }
  const plain = httpPort === undefined
    ? ""
    : `[[listeners]]\naddr = "127.0.0.1:${httpPort}"\nkind = "redirect"`;
  return await startMember(postgres, {
    ...member,
    ...shareKeys && {
      sharing: `share_certificates = true\nshare_key_file = "${keyFile}"`,
    },
    ...{ folder, routes: routes.join("\n") },
    ...httpPort !== undefined && { listeners: { plain: `127.0.0.1:${httpPort}` } },
    orders: { delay: soon, ...options.orders },
    more: `${plain}
    [acme]
    directory = "${pebble.directory}"
    email = "admin@a.example"
    agree_tos = true
    challenge = "${challenge}"
    ca_cert = "${pebble.caFile}"`,
  });
}

/** A key of a group, as its file holds it. */
export function shareKey(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64();
}

/** How often a member says that it got a certificate, or what else it says. */
export function saidTimes({ logs }: FleetMember, message = "certificate issued"): number {
  return logs.filter((it) => it.message === message).length;
}
