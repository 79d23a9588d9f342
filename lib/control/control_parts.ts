import { AutoBans, isProtected } from "./auto_bans.ts";
import type { Config } from "../config/mod.ts";
import { connectorName } from "./connector_files.ts";
import type { RuleExpiry } from "./expiry.ts";
import type { GeoIpInUse } from "./geoip_in_use.ts";
import type { GroupMembership } from "./group_membership.ts";
import { GroupIssuance } from "./group_issuance.ts";
import { type Issuance, openIssuance } from "./open_issuance.ts";
import type { StartedPlane, StartOptions } from "./plane_start.ts";
import { wantedNames } from "./wanted_names.ts";
import { ACME } from "../state/mod.ts";
import { ServedState } from "./served_state.ts";

/** The state that is served, as a start has made it. */
export function openState(
  options: StartOptions,
  { startUp, plane }: Pick<StartedPlane, "startUp" | "plane">,
  { membership, onWriteFailed }: {
    readonly membership: GroupMembership | undefined;
    readonly onWriteFailed: () => void;
  },
): ServedState {
  const { database, log, now, compile, limits, config, file } = options;
  const { snapshot, materials, pages, board } = startUp;
  return new ServedState({
    ...{ database, plane, snapshot, log, now, materials, pages, board, onWriteFailed },
    ...config.state.source === "file" && { file: file?.path ?? "the file" },
    ...compile && { compile },
    ...limits && { limits },
    ...membership && { listenerNames: membership.listenerNames, group: membership.group },
  });
}

/** Certificates from an authority, if the configuration names one. */
export function issuanceOf(
  { config, readFile, now, log, orders, userAgent = "mc-proxy" }: StartOptions,
  { startUp: { issued }, state, activate, group }: {
    readonly startUp: StartedPlane["startUp"];
    readonly state: ServedState;
    readonly activate: () => Promise<void>;
    readonly group: GroupIssuance | undefined;
  },
): Issuance | undefined {
  const { acme, mcns, resolver } = config;
  if (acme === undefined || issued === undefined) return undefined;
  return openIssuance(acme, issued, {
    ...{ state, readFile, now, log, userAgent, mcns, activate, group },
    resolvers: resolver.servers,
    delay: orders?.delay,
    wanted: () => wantedOf(config, state),
  });
}

/** What the proxies of a group have in common when certificates are ordered; absent: there is no group. */
export function groupIssuanceOf(
  { config, fleet, log, now, orders }: StartOptions,
  { startUp: { issued, materials }, state, activate }: {
    readonly startUp: StartedPlane["startUp"];
    readonly state: ServedState;
    readonly activate: () => Promise<void>;
  },
): GroupIssuance | undefined {
  if (fleet === undefined) return undefined;
  const { sealer } = fleet;
  const held = () => materials.files(state.snapshot.listeners);
  issued?.writeWith(state);
  return new GroupIssuance({
    ...sealer && issued && { sharing: { sealer, store: issued, held, activate } },
    ...{ link: fleet.link, state, acme: config.acme, log, now, leaseMs: orders?.leaseMs },
    wanted: () => wantedOf(config, state),
  });
}

function wantedOf({ connector }: Config, { snapshot }: ServedState): ReadonlySet<string> {
  return wantedNames(snapshot, connector?.serverCert === ACME ? [connectorName(connector)] : []);
}

/** Bans of whoever behaves as the configuration says nobody should. */
export function autoBansOf(
  { config: { bans, firewall }, now, log }: StartOptions,
  { state, expiry, geoip }: {
    readonly state: ServedState;
    readonly expiry: RuleExpiry;
    readonly geoip: GeoIpInUse;
  },
): AutoBans {
  return new AutoBans({
    ...{ bans, state, expiry, now, log },
    ipv6Prefix: firewall.ipv6Prefix,
    isProtected: (ip) => isProtected(ip, state.snapshot, geoip.loaded?.geoip),
  });
}
