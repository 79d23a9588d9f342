import type { FollowState } from "../dns_control/mod.ts";
import type { Families } from "../metrics/mod.ts";
import type { DeskCounts } from "./mcns_desk.ts";
import type { FollowCounts } from "./mcns_secondaries.ts";

/** A zone that other servers have first. */
export interface SecondarySample {
  readonly name: string;
  readonly serial: number;
  readonly state: FollowState;
}

/** What goes from server to server. */
export interface ExchangesSource {
  readonly follow: () => FollowCounts;
  readonly desk: () => DeskCounts | undefined;
  readonly secondaries: () => readonly SecondarySample[];
}

/** Codes that updates are answered (RFC 2136 §2.2). */
const UPDATE_CODES: Readonly<Record<number, string>> = {
  0: "NOERROR",
  1: "FORMERR",
  2: "SERVFAIL",
  3: "NXDOMAIN",
  5: "REFUSED",
  6: "YXDOMAIN",
  7: "YXRRSET",
  8: "NXRRSET",
  9: "NOTAUTH",
  10: "NOTZONE",
};

/** Transfers, news and updates, and how current secondary zones are. */
export function addExchangeFamilies(
  families: Families,
  { follow, desk, secondaries }: ExchangesSource,
): void {
  families.counter(
    {
      ...{ name: "mcns_transfers_taken_total", labels: ["result"] },
      help: "Zones that came from their primaries, whole or by steps, and attempts that failed.",
    },
    () => Object.entries(follow().transfers).map(([result, count]) => [{ result }, count]),
  );
  families.counter(
    {
      ...{ name: "mcns_notifies_received_total", labels: ["result"] },
      help: "News of zones that came, believed or refused.",
    },
    () => Object.entries(follow().notifies).map(([result, count]) => [{ result }, count]),
  );
  families.counter(
    {
      ...{ name: "mcns_notifies_sent_total", labels: ["result"] },
      help: "News of zones to others, heard or met with silence.",
    },
    () => Object.entries(desk()?.notifies ?? {}).map(([result, count]) => [{ result }, count]),
  );
  families.counter(
    {
      ...{ name: "mcns_updates_total", labels: ["code"] },
      help: "Dynamic updates, by the code of their answer.",
    },
    () =>
      Array.from(desk()?.updates ?? [], ([code, count]) => [
        { code: UPDATE_CODES[code] ?? "other" },
        count,
      ]),
  );
  const gauge = (
    name: string,
    help: string,
    read: (sample: SecondarySample) => number | undefined,
  ) =>
    families.gauge(
      { name: `mcns_secondary_${name}`, help, labels: ["zone"] },
      () =>
        secondaries().flatMap((sample) => {
          const value = read(sample);
          return value === undefined ? [] : [[{ zone: sample.name }, value] as const];
        }),
    );
  const seconds = (ms: number | undefined) => ms === undefined ? undefined : ms / 1000;
  gauge("serial", "Serial of a secondary zone; 0: it has never come.", ({ serial }) => serial);
  gauge(
    "expired",
    "Whether it answers SERVFAIL as no primary vouches for it: 1, or 0.",
    (own) => Number(own.state.isExpired || own.serial === 0),
  );
  gauge(
    "failures",
    "Questions to its primaries that failed, in a row.",
    ({ state }) => state.failures,
  );
  gauge(
    "refreshed_timestamp_seconds",
    "When a primary last vouched for it.",
    ({ state }) => seconds(state.refreshedAt),
  );
  gauge(
    "expiry_timestamp_seconds",
    "When it expires unless a primary does.",
    ({ state }) => seconds(state.expiresAt),
  );
}
