/**
 * What zones cost whoever manages them: a zone file imported, a start with it, changes a second, and
 * memory. `deno run -A bench/dns/zones.ts [RECORDS]`; in memory of this process alone, without workers.
 *
 * @module
 */
import process from "node:process";
import { nameFromText } from "../../lib/dns/mod.ts";
import { DnsControl, NO_PLANE } from "../../lib/dns_control/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";

const OPERATION = { actor: "bench", action: "Bench" };
/** Changes that are measured. */
const CHANGES = 200;

const count = Number(Deno.args[0] ?? 1_000_000);
const folder = await Deno.makeTempDir();
try {
  await measure(`${folder}/mcns.db`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function measure(path: string): Promise<void> {
  const large = originOf("large.example");
  const small = originOf("small.example");
  {
    using server = await open(path);
    const { control } = server;
    await control.zones.import(small, zoneFile(1000), OPERATION);
    const file = zoneFile(count);
    say(`a zone file of ${count} records, ${megabytes(file.length)}`);
    await timed("imported", () => control.zones.import(large, file, OPERATION));
    await timed("imported again, unchanged", () => control.zones.import(large, file, OPERATION));
    say(`resident: ${megabytes(Deno.memoryUsage().rss)}`);
    await changes(control, small, "a zone of 1,000");
    await changes(control, large, `a zone of ${count}`, count > 100_000 ? 10 : CHANGES);
  }
  using server = await timed("a start", () => open(path));
  say(`${server.control.counts.records} records; resident: ${megabytes(Deno.memoryUsage().rss)}`);
}

async function open(path: string) {
  const database = openDnsDatabase(path);
  database.neverBlock();
  const parts = { database, plane: NO_PLANE, log: () => {}, now: Date.now };
  const control = await DnsControl.open(parts);
  return { control, [Symbol.dispose]: () => database[Symbol.dispose]() };
}

async function changes(
  control: DnsControl,
  origin: Uint8Array,
  what: string,
  changes: number = CHANGES,
): Promise<void> {
  const start = performance.now();
  const before = process.cpuUsage();
  for (let i = 0; i < changes; i++) {
    const record = { name: `change${i}`, type: "A", value: "192.0.2.7" };
    await control.records.add(origin, record, OPERATION);
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const each = ((user + system) / 1000 / changes).toFixed(2);
  say(
    `${what}: ${(changes / seconds).toFixed(1)} changes a second, one after the other, each ` +
      `${each} ms of CPU`,
  );
}

function zoneFile(records: number): Uint8Array {
  const lines = ["$TTL 300", "@ SOA ns host 1 3600 600 604800 60", "@ NS ns", "ns A 192.0.2.1"];
  for (let i = lines.length - 1; i < records; i++) {
    lines.push(`host${i} A 10.${i >> 16 & 255}.${i >> 8 & 255}.${i & 255}`);
  }
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

function originOf(text: string): Uint8Array {
  const name = nameFromText(text);
  if (!name.ok) throw new Error(name.reason);
  return name.value;
}

async function timed<T>(what: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - start) / 1000;
  say(`${what} in ${seconds.toFixed(2)} s (${((user + system) / 1e6).toFixed(2)} s of CPU)`);
  return result;
}

function megabytes(octets: number): string {
  return `${Math.round(octets / 1024 / 1024)} MiB`;
}

function say(line: string): void {
  // deno-lint-ignore no-console -- what is measured is the program's output
  console.log(line);
}
