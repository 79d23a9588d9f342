/**
 * A name server's control plane with a zone, and workers that can refuse.
 *
 * @module
 */
import assert from "node:assert/strict";
import { nameFromText } from "../../lib/dns/mod.ts";
import { DnsControl, type DnsPlane, type RecordInput } from "../../lib/dns_control/mod.ts";
import { type DnsDatabase, openMemoryDnsDatabase } from "../../lib/dns_store/mod.ts";
import { sliceChange, ZoneAssembly } from "../../lib/dns_server/zone_slices.ts";
import { RefusedError } from "../../lib/queue/mod.ts";
import { type ZoneChange, ZoneTable } from "../../lib/zones/mod.ts";

export const OPERATION = { actor: "somebody", action: "Test" };

export const ORIGIN = name("example.net");

export const FILE = `$TTL 300
@ SOA ns hostmaster 7 3600 600 604800 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
sub NS ns.sub
ns.sub A 192.0.2.9
alias CNAME www
old DNAME new
a.deep TXT "x"
`;

export function name(text: string) {
  const found = nameFromText(text);
  assert(found.ok);
  return found.value;
}

/** What workers have, kept as they keep it. */
export class Workers implements DnsPlane {
  table = new ZoneTable();
  changes: ZoneChange[] = [];
  failure: Error | undefined;
  readonly #assembly = new ZoneAssembly();

  apply(change: ZoneChange) {
    this.changes.push(change);
    for (const slice of sliceChange(change)) {
      this.table = this.#assembly.take(this.table, structuredClone(slice));
    }
    const { failure } = this;
    this.failure = undefined;
    return failure === undefined
      ? Promise.resolve({ pendingWorkers: [] })
      : Promise.reject(failure);
  }
}

export interface Fixture extends AsyncDisposable {
  readonly control: DnsControl;
  readonly database: DnsDatabase;
  readonly workers: Workers;
}

export async function start(file = FILE): Promise<Fixture> {
  const database = openMemoryDnsDatabase();
  const workers = new Workers();
  const options = { database, plane: workers, log: () => {}, now: () => 1000 };
  const control = await DnsControl.open(options);
  if (file !== "") await control.zones.import(ORIGIN, octets(file), OPERATION);
  return {
    ...{ control, database, workers },
    async [Symbol.asyncDispose]() {
      await control.close();
      database[Symbol.dispose]();
    },
  };
}

export function octets(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export async function exported(control: DnsControl): Promise<string> {
  let text = "";
  for await (const lines of control.zones.export(ORIGIN)) text += lines;
  return text;
}

/** Rows, memory and workers say the same; what they say. */
export async function agreed({ control, database, workers }: Fixture): Promise<string> {
  const open = await DnsControl.open({
    ...{ database, plane: workers, log: () => {}, now: () => 0 },
  });
  const flat = (table: ZoneTable) =>
    [...table.zones].map((zone) => ({
      ...zone,
      apex: "",
      nodes: [...zone.nodes].map(([key, { name, sets }]) => {
        const plain = sets.map(({ type, ttl, data }) => [type, ttl, [...data].sort()]);
        return [key, name, plain.sort()];
      }).sort(),
    }));
  assert.deepEqual(flat(control.table), flat(open.table));
  assert.deepEqual(flat(workers.table), flat(open.table));
  return control.listZones().length === 0 ? "" : await exported(control);
}

export async function refused(promise: Promise<unknown>, code: string, field?: string) {
  const error = await promise.then(() => assert.fail("it was taken"), (thrown) => thrown);
  assert(error instanceof RefusedError, String(error));
  assert.equal(error.code, code, error.message);
  if (field !== undefined) assert(error.problems.some((it) => it.field === field), error.message);
}

export function add(control: DnsControl, input: Partial<RecordInput>) {
  const full = { name: "x", type: "A", value: "192.0.2.7", ...input };
  return control.records.add(ORIGIN, full, OPERATION);
}
