import type { mcns } from "../admin/gen/mod.ts";
import { type Column, cut, formatCount, plain, renderTable, type Size } from "../terminal/mod.ts";

/** A look at the server, and when it was, in milliseconds of a clock that only goes on. */
export interface Look {
  readonly status: mcns.GetStatusResponse;
  readonly at: number;
}

/** Narrower terminals get this view, cut off. */
const MIN_COLUMNS = 20;

/** Counters of answers, and what they stand for. */
const CODES: readonly (readonly [string, string])[] = [
  ["code_0", "NOERROR"],
  ["code_3", "NXDOMAIN"],
  ["code_5", "REFUSED"],
  ["code_2", "SERVFAIL"],
  ["code_1", "FORMERR"],
  ["code_4", "NOTIMP"],
  ["code_6", "YXDOMAIN"],
  ["code_other", "other"],
];

interface Row {
  readonly address: string;
  readonly state: string;
  readonly restarts: number;
  readonly count: (name: string) => number;
  readonly rate: (name: string) => number;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "ADDRESS", value: ({ address }) => address },
  { title: "STATE", value: ({ state }) => state },
  { title: " UDP/S", value: ({ rate }) => formatCount(rate("udp_messages")), right: true },
  { title: " TCP/S", value: ({ rate }) => formatCount(rate("tcp_messages")), right: true },
  { title: " TLS/S", value: ({ rate }) => formatCount(rate("tls_messages")), right: true },
  { title: " OPEN", value: ({ count }) => formatCount(count("connections_open")), right: true },
  { title: " RESTARTS", value: ({ restarts }) => `${restarts}`, right: true },
];

/**
 * The screen of `mcnsctl top`: never more lines than the terminal has, never longer ones. Pure.
 *
 * @param note Said instead of the keys, such as that the server is gone.
 */
export function renderTop(
  { now, before }: { readonly now: Look; readonly before: Look | undefined },
  { columns, rows }: Size,
  note?: string,
): string[] {
  const { status } = now;
  const addresses = rowsOf(now, before);
  const sum = (name: string) => addresses.reduce((total, { rate }) => total + rate(name), 0);
  const per = (name: string) => formatCount(sum(name));
  const messages = sum("udp_messages") + sum("tcp_messages") + sum("tls_messages");
  const codes = CODES.filter(([name]) => sum(name) > 0).map(([name, code]) =>
    `${code} ${per(name)}`
  );
  const facts = [
    `mcns ${status.version}  ${
      status.problem === "" ? "healthy" : `NOT HEALTHY: ${status.problem}`
    }`,
    `zones ${status.zones}, records ${status.records}, revision ${status.revision}`,
    `questions/s ${formatCount(messages)}   forwarded ${per("forwarded")}, cut off ${
      per("truncated")
    }, ignored ${per("ignored")}`,
    `answers/s ${codes.join(", ") || "none"}`,
    `over the limit/s ${per("rate_dropped")} dropped, ${
      per("rate_slipped")
    } slipped   connections/s ${per("connections_opened")} new, ${
      per("connections_refused")
    } refused`,
    "",
  ];
  const room = Math.max(1, rows - 1 - facts.length - 1);
  const shown = addresses.length <= room ? addresses : addresses.slice(0, room - 1);
  const more = addresses.length - shown.length;
  const lines = [
    ...facts,
    ...renderTable(shown, COLUMNS),
    ...more > 0 ? [`  and ${more} more`] : [],
  ].slice(0, Math.max(0, rows - 1));
  const width = Math.max(MIN_COLUMNS, columns);
  return [...lines, note ?? "q quit"].map((line) => cut(plain(line), width));
}

/** The busiest first. */
function rowsOf(now: Look, before: Look | undefined): Row[] {
  const old = new Map(before?.status.addresses.map((it) => [it.address, countersOf(it)]));
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
  const rows = now.status.addresses.map((own) => {
    const counters = countersOf(own);
    const was = old.get(own.address);
    const count = (name: string) => counters.get(name) ?? 0;
    // Never negative: a server that was started again counts from zero.
    const rate = (name: string) =>
      was === undefined || seconds <= 0
        ? 0
        : Math.max(0, count(name) - (was.get(name) ?? 0)) / seconds;
    const { address, state, restarts } = own;
    return { address, state, restarts, count, rate };
  });
  const load = ({ rate }: Row) =>
    rate("udp_messages") + rate("tcp_messages") + rate("tls_messages");
  return rows.sort((a, b) => load(b) - load(a));
}

function countersOf({ counters }: mcns.AddressStatus): Map<string, number> {
  return new Map(counters.map(({ name, value }) => [name, Number(value)]));
}
