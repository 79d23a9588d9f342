/**
 * A name server on `127.0.0.1` that says what it is told to, over UDP and TCP.
 *
 * @module
 */
import { ipToBytes, parseIp } from "../../lib/addr/mod.ts";
import {
  type Message,
  type Name,
  nameFromText,
  nameToText,
  parseMessage,
} from "../../lib/dns/mod.ts";

/** A record to answer with; `data` is the text of an address or a name, or octets. */
export interface TestRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "SOA";
  readonly ttl?: number;
  readonly data: string | Uint8Array;
}

const TYPES = { A: 1, CNAME: 5, SOA: 6, AAAA: 28 } as const;

/** What an answer is made of; what is left out is as it should be. */
export interface AnswerParts {
  readonly id?: number;
  /** Overrides of the header's flags. */
  readonly flags?: number;
  readonly code?: number;
  readonly truncated?: boolean;
  readonly question?: { readonly name: string; readonly type: number } | "none";
  readonly answers?: readonly TestRecord[];
  readonly authorities?: readonly TestRecord[];
  readonly additionals?: readonly TestRecord[];
}

/** The wire form of a name. */
export function nameOf(text: string): Name {
  const name = nameFromText(text);
  if (!name.ok) throw new TypeError(name.reason);
  return name.value;
}

/** A SOA record's data with a last field. */
export function soaData(minimum: number): Uint8Array {
  const fields = new DataView(new ArrayBuffer(20));
  fields.setUint32(16, minimum);
  return concat(nameOf("ns.test"), nameOf("admin.test"), new Uint8Array(fields.buffer));
}

/** The octets of an answer to `asked`. */
export function answerTo(asked: Message, parts: AnswerParts = {}): Uint8Array {
  const [first] = asked.questions;
  const question = parts.question ?? {
    name: first === undefined ? "." : nameToText(first.name),
    type: first?.type ?? 0,
  };
  const sections = [parts.answers ?? [], parts.authorities ?? [], parts.additionals ?? []];
  const header = new DataView(new ArrayBuffer(12));
  header.setUint16(0, parts.id ?? asked.header.id);
  header.setUint16(
    2,
    parts.flags ?? (0x8180 | (parts.truncated ? 0x0200 : 0) | (parts.code ?? 0)),
  );
  header.setUint16(4, question === "none" ? 0 : 1);
  sections.forEach((section, i) => header.setUint16(6 + 2 * i, section.length));
  return concat(
    new Uint8Array(header.buffer),
    ...question === "none" ? [] : [nameOf(question.name), u16(question.type), u16(1)],
    ...sections.flat().map(recordOctets),
  );
}

function recordOctets({ name, type, ttl = 60, data }: TestRecord): Uint8Array {
  const octets = typeof data !== "string" ? data : type === "CNAME" ? nameOf(data) : address(data);
  const numbers = new DataView(new ArrayBuffer(10));
  numbers.setUint16(0, TYPES[type]);
  numbers.setUint16(2, 1);
  numbers.setUint32(4, ttl);
  numbers.setUint16(8, octets.length);
  return concat(nameOf(name), new Uint8Array(numbers.buffer), octets);
}

function address(text: string): Uint8Array {
  const ip = parseIp(text);
  if (!ip.ok) throw new TypeError(ip.reason);
  return ipToBytes(ip.value);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** One question that arrived. */
export interface Asked {
  readonly message: Message;
  /** Without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly over: "udp" | "tcp";
  /** The port that it came from. */
  readonly port: number;
}

/** Octets to send, one datagram each; nothing is silence. */
export type Behaviour = (
  asked: Asked,
) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;

/** A running server. */
export class DnsServer implements AsyncDisposable {
  /** Every question so far. */
  readonly asked: Asked[] = [];
  behave: Behaviour;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #done: Promise<unknown>;

  private constructor(behave: Behaviour, where: { hostname: string; port: number }) {
    this.behave = behave;
    this.#tcp = Deno.listen(where);
    const { hostname, port } = this.#tcp.addr as Deno.NetAddr;
    this.#udp = Deno.listenDatagram({ transport: "udp", hostname, port });
    this.#done = Promise.allSettled([this.#serveUdp(), this.#serveTcp()]);
  }

  /** Starts one; the same port for UDP and TCP. */
  static start(behave: Behaviour, where = { hostname: "127.0.0.1", port: 0 }): DnsServer {
    return new DnsServer(behave, where);
  }

  get port(): number {
    return (this.#tcp.addr as Deno.NetAddr).port;
  }

  /** How often a name was asked for, of one type or of any. */
  count(name: string, type?: number): number {
    return this.asked.filter((it) => it.name === name && (type ?? it.type) === it.type).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#open) connection.close();
    await this.#done;
  }

  #note(bytes: Uint8Array, over: Asked["over"], port: number): Asked | undefined {
    const parsed = parseMessage(bytes);
    const [question] = parsed.ok ? parsed.value.questions : [];
    if (!parsed.ok || question === undefined) return undefined;
    const name = nameToText(question.name).replace(/\.$/, "");
    const asked = { message: parsed.value, name, type: question.type, over, port };
    this.asked.push(asked);
    return asked;
  }

  async #serveUdp(): Promise<void> {
    for await (const [bytes, from] of this.#udp) {
      const asked = this.#note(bytes, "udp", (from as Deno.NetAddr).port);
      if (asked !== undefined) this.#sendAll(asked, from).catch(() => {}); // Closed meanwhile.
    }
  }

  async #sendAll(asked: Asked, to: Deno.Addr): Promise<void> {
    for (const bytes of await this.behave(asked)) await this.#udp.send(bytes, to);
  }

  async #serveTcp(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.#open.add(connection);
      this.#serveOne(connection).catch(() => {}); // The other side has gone.
    }
  }

  async #serveOne(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(1024);
    const count = await connection.read(buffer) ?? 0;
    const { port } = connection.remoteAddr as Deno.NetAddr;
    const asked = this.#note(buffer.slice(2, count), "tcp", port);
    if (asked === undefined) return;
    const answers = await this.behave(asked);
    for (const bytes of answers) await connection.write(concat(u16(bytes.length), bytes));
    if (answers.length === 0) return;
    this.#open.delete(connection);
    connection.close();
  }
}

/** Answers A questions with an address, and AAAA questions with none. */
export function respondWith(asked: Asked, address: string, ttl = 60): Uint8Array[] {
  const record = { name: asked.name, type: "A", ttl, data: address } as const;
  return [answerTo(asked.message, asked.type === 1 ? { answers: [record] } : {})];
}
