/**
 * A name server of our own parts, in this process: it answers, transfers, notifies and takes changes.
 * What a program would keep in a database it keeps in memory.
 *
 * @module
 */
import assert from "node:assert/strict";
import { blockOf, parseIp } from "../../lib/addr/mod.ts";
import {
  answerCode,
  foldCase,
  octetsOf,
  type OctetString,
  parseMessage,
  readEdns,
} from "../../lib/dns/mod.ts";
import { readFramed, writeFramed } from "../../lib/dns_client/mod.ts";
import { type PlannedUpdate, type UpdateGrant, Updates } from "../../lib/dns_update/mod.ts";
import {
  readNotify,
  type Step,
  type TransferRecord,
  Transfers,
  zoneRecords,
} from "../../lib/transfer/mod.ts";
import {
  AnswerSigner,
  type SignedZone,
  signZone,
  type ZoneKey,
  zoneKeysOf,
} from "../../lib/dnssec/mod.ts";
import { createTsigKey, respondSigned, type TsigKey } from "../../lib/tsig/mod.ts";
import { AuthoritativeAnswers, compileZone, type Zone, ZoneTable } from "../../lib/zones/mod.ts";
import { unusedPort } from "./ports.ts";

/** A key of tests; `secret` is what configurations of others say. */
export const TRANSFER_SECRET = "c2VjcmV0LWZvci10ZXN0cy1vbmx5LTAxMjM0NTY3ODk=";

/** The key of a name with that secret. */
export function keyNamed(name: string, algorithm = "hmac-sha256"): TsigKey {
  const key = createTsigKey({ name, algorithm, secret: TRANSFER_SECRET });
  assert(key.ok);
  return key.value;
}

/** Makes a zone of records as transfers have them. */
export function zoneOfRecords(origin: OctetString, records: Iterable<TransferRecord>): Zone {
  const own = Array.from(records, ({ name, type, ttl, data }) => ({
    ...{ name: octetsOf(name), type, ttl, data: octetsOf(data) },
  }));
  const result = compileZone(octetsOf(origin), own);
  assert(result.ok, JSON.stringify(result));
  return result.zone;
}

/** The zone after changes; its serial is the next one unless they say another. */
export function changedZone(
  zone: Zone,
  plan: Omit<PlannedUpdate, "kind">,
): { zone: Zone; step: Step } {
  const [soa] = zoneRecords(zone);
  assert(soa !== undefined);
  const bumped = octetsOf(soa.data);
  const view = new DataView(bumped.buffer);
  view.setUint32(bumped.length - 20, zone.serial + 1);
  const next = { ...soa, data: String.fromCharCode(...bumped) };
  const isSoa = ({ type }: TransferRecord) => type === 6;
  const newSoa = plan.hasSerial ? plan.added.find(isSoa) ?? next : next;
  const step = {
    from: zone.serial,
    removed: [soa, ...plan.removed.filter((it) => !isSoa(it))],
    added: [newSoa, ...plan.added.filter((it) => !isSoa(it))],
  };
  const keyOf = ({ name, type, data }: TransferRecord) => `${type} ${foldCase(name)} ${data}`;
  const gone = new Set(step.removed.map(keyOf));
  const kept = [...zoneRecords(zone)].filter((record) => !gone.has(keyOf(record)));
  const changed = zoneOfRecords(zone.origin, [...kept, ...step.added]);
  return { zone: changed, step: { ...step, to: changed.serial } };
}

/** Who may do what at a {@link ZoneServer}. */
export interface ZoneServerOptions {
  readonly keys?: readonly TsigKey[];
  /** Blocks that may transfer. */
  readonly addresses?: readonly string[];
  readonly grants?: (key: TsigKey) => readonly UpdateGrant[];
  readonly now?: () => number;
  readonly port?: number;
  /** Of the zone: its answers are signed. */
  readonly zoneKeys?: readonly ZoneKey[];
}

/** A running server. */
export class ZoneServer implements AsyncDisposable {
  readonly port: number;
  zone: Zone;
  readonly steps: Step[] = [];
  /** What updates came to. */
  readonly told: { readonly code: number; readonly reason?: string }[] = [];
  /** Questions for transfers that were answered, by type. */
  readonly transfers: number[] = [];
  notifies = 0;
  onNotify = () => {};
  readonly signer: AnswerSigner;
  signed: SignedZone & { readonly of: Zone } | undefined;
  readonly #zoneKeys: readonly ZoneKey[];
  #isClosed = false;
  readonly #answers = new AuthoritativeAnswers();
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #transfers: Transfers;
  readonly #updates: Updates;
  readonly #done: Promise<unknown>;
  readonly #signing: { readonly keys: readonly TsigKey[]; readonly time: () => number };

  private constructor(zone: Zone, port: number, options: ZoneServerOptions) {
    this.zone = zone;
    this.port = port;
    const { keys = [], addresses = [], grants = () => [] } = options;
    const { now = () => Math.floor(Date.now() / 1000) } = options;
    this.#zoneKeys = options.zoneKeys ?? [];
    this.signer = new AnswerSigner({ now });
    this.#signing = { keys, time: now };
    const zoneAt = (origin: OctetString) =>
      foldCase(origin) === this.zone.apexKey ? this.zone : undefined;
    this.#transfers = new Transfers({
      ...{ zoneAt, keys, now },
      accessOf: () => ({
        addresses: addresses.map((text) => blockOf(text, "test")),
        keys: keys.map(({ name }) => String.fromCharCode(...name)),
      }),
      journal: (_zone, serial) => {
        const start = this.steps.findIndex(({ from }) => from === serial);
        return Promise.resolve(start < 0 ? undefined : this.steps.slice(start));
      },
    });
    this.#updates = new Updates({
      ...{ zoneAt, keys, now },
      grantsOf: (_zone, key) => grants(key),
      apply: (_zone, plan) => Promise.resolve(this.change(plan)),
      onAnswer: (told) => void this.told.push(told),
    });
    const at = { hostname: "127.0.0.1", port };
    this.#udp = Deno.listenDatagram({ transport: "udp", ...at });
    this.#tcp = Deno.listen(at);
    this.#done = Promise.allSettled([this.#serveUdp(), this.#serveTcp()]);
  }

  /** Starts one; the same port for UDP and TCP. */
  static async start(zone: Zone, options: ZoneServerOptions = {}): Promise<ZoneServer> {
    return new ZoneServer(zone, options.port ?? await unusedPort(), options);
  }

  /** Changes the zone, and remembers how. */
  change(plan: Omit<PlannedUpdate, "kind">): void {
    const { zone, step } = changedZone(this.zone, plan);
    this.zone = zone;
    this.steps.push(step);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    await this.#done;
  }

  async *#respond(octets: Uint8Array, transport: "udp" | "tcp"): AsyncGenerator<Uint8Array> {
    const address = parseIp("127.0.0.1");
    assert(address.ok);
    const client = { address: address.value, transport };
    const transfer = await this.#transfers.respond(octets, client);
    if (transfer !== undefined) {
      if (transfer.code === 0) this.transfers.push(octets.length);
      return yield* transfer.messages;
    }
    const update = await this.#updates.respond(octets);
    if (update !== undefined) return yield update;
    const message = parseMessage(octets);
    if (message.ok && readNotify(message.value, octets) !== undefined) {
      this.notifies++;
      this.onNotify();
      return yield answerCode(octets, 0);
    }
    const plain = (unsigned: Uint8Array) => this.#answer(unsigned, transport);
    const { keys, time } = this.#signing;
    const signed = await respondSigned(octets, { keys, time: time(), transport, respond: plain });
    const answer = signed.kind === "answer" ? signed.octets : await plain(octets);
    if (answer !== undefined) yield answer;
  }

  async #answer(octets: Uint8Array, transport: "udp" | "tcp"): Promise<Uint8Array | undefined> {
    const message = parseMessage(octets);
    const edns = message.ok ? readEdns(message.value, octets) : undefined;
    if (this.#zoneKeys.length === 0) {
      return this.#answers.answer(octets, { zones: new ZoneTable([this.zone]), transport });
    }
    if (this.signed?.of !== this.zone) {
      this.signed = {
        of: this.zone,
        ...signZone(this.zone, await zoneKeysOf(this.zone.origin, this.#zoneKeys)),
      };
    }
    const zones = new ZoneTable([this.signed.zone]);
    if (edns === undefined || edns === "invalid" || !edns.isDnssecOk) {
      return this.#answers.answer(octets, { zones, transport });
    }
    const answer = this.#answers.answer(octets, { zones, transport: "tcp" });
    const limit = transport === "tcp" ? 0xffff : Math.min(edns.payloadOctets, 1232);
    return answer && await this.signer.sign(answer, { signed: this.signed, limit });
  }

  async #serveUdp(): Promise<void> {
    for await (const [octets, from] of this.#udp) {
      for await (const answer of this.#respond(octets, "udp")) await this.#udp.send(answer, from);
    }
  }

  async #serveTcp(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.#open.add(connection);
      this.#serveOne(connection).catch(() => {}).finally(() => { // The other side has gone.
        if (this.#open.delete(connection)) connection.close();
      });
    }
  }

  async #serveOne(connection: Deno.TcpConn): Promise<void> {
    for (;;) {
      const octets = await readFramed(connection);
      if (typeof octets === "string") return;
      for await (const answer of this.#respond(octets, "tcp")) {
        await writeFramed(connection, answer);
      }
    }
  }
}
