/**
 * How a past connection is written as a row, and read back.
 *
 * @module
 */
import { formatIp, ipFromBytes, ipToBytes, parseBlock, parseIp } from "../addr/mod.ts";
import type { SQLInputValue } from "node:sqlite";
import type { KeptConnection, PastConnection } from "./messages.ts";

/** Ids are microseconds since 1970, so that a span of time is a span of ids and needs no index. */
export const IDS_PER_MS = 1_000;

/** Columns in the order of {@link valuesOf}, but for the id. */
export const FIELDS = "client, listener, sni, route, backend, rule, identity, outcome, reason, " +
  "bytes_in, bytes_out, duration_ms, count";

/** As SQLite gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** The id that its time asks for, and its columns. */
export function valuesOf(it: PastConnection): SQLInputValue[] {
  const { time, client, listener, sni, route, backend, rule, identity, outcome, reason } = it;
  const { bytesIn, bytesOut, durationMs, count } = it;
  const texts = [listener, sni, route, backend, rule, identity, outcome, reason];
  const id = Math.round(time * IDS_PER_MS);
  const durations = Math.round(durationMs);
  return [id, keyOf(client), ...texts, bytesIn, bytesOut, durations, count];
}

/** The reverse of {@link valuesOf}. */
export function toConnection(row: Row): KeptConnection {
  const id = Number(row.id);
  const text = (name: string) => String(row[name]);
  return {
    id,
    time: timeOf(id),
    client: clientOf(row.client),
    listener: text("listener"),
    sni: text("sni"),
    route: text("route"),
    backend: text("backend"),
    rule: text("rule"),
    identity: text("identity"),
    outcome: text("outcome"),
    reason: text("reason"),
    bytesIn: Number(row.bytes_in),
    bytesOut: Number(row.bytes_out),
    durationMs: Number(row.duration_ms),
    count: Number(row.count),
  };
}

/** When it was added, in milliseconds since 1970. */
export function timeOf(id: number): number {
  return Math.floor(id / IDS_PER_MS);
}

/** 16 octets for both families, so that a block of either is one range. */
export function keyOf(client: string): Uint8Array {
  const ip = parseIp(client);
  if (!ip.ok) throw new TypeError(`${JSON.stringify(client)}: ${ip.reason}`);
  return mapped(ipToBytes(ip.value));
}

function mapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}

/** The reverse of {@link keyOf}. */
export function clientOf(key: unknown): string {
  return formatIp(ipFromBytes(key as Uint8Array));
}

/** The first and the last address of a block. */
export function blockRange(text: string): [Uint8Array, Uint8Array] {
  const block = parseBlock(text);
  if (!block.ok) throw new TypeError(`${JSON.stringify(text)}: ${block.reason}`);
  const { address, prefixLength } = block.value;
  const first = mapped(ipToBytes(address));
  const kept = prefixLength + (address.family === 4 ? 96 : 0);
  const last = first.map((octet, i) => octet | 0xff >> Math.min(8, Math.max(0, kept - i * 8)));
  return [first, last];
}
