import {
  CLASS_IN,
  type Name,
  nameEquals,
  nameFromText,
  parseMessage,
  readName,
  ResponseCode,
} from "../dns/mod.ts";
import { concat } from "../wire/mod.ts";
import { AcmeError } from "./error.ts";

const OPCODE_UPDATE = 5;
const TYPE = { soa: 6, txt: 16, tsig: 250 } as const;
/** RFC 2136 §2.5.4: of a record that is to go. */
const CLASS_NONE = 254;
const CLASS_ANY = 255;
const HEADER_BYTES = 12;
const HMAC_SHA256 = wireName("hmac-sha256");
/** What clocks may differ, in seconds (RFC 8945 §10). */
const FUDGE = 300;
const TIMEOUT_MS = 10_000;
/** Of a proof, in seconds. */
const TTL = 60;

/** Whom to tell of changes, and with which key (RFC 8945). */
export interface DnsUpdateServer {
  readonly hostname: string;
  readonly port: number;
  /** Of the key. */
  readonly keyName: string;
  /** Base64; secret. */
  readonly key: string;
}

/** A text that is to be there, or not. */
export interface TextChange {
  readonly zone: string;
  readonly name: string;
  readonly text: string;
  readonly present: boolean;
}

/**
 * Tells a name server to add or to remove one TXT record (RFC 2136), signed with a key (TSIG, RFC 8945),
 * and believes its answer only if that is signed too. Others of the name stay.
 *
 * @throws {AcmeError}
 */
export async function updateText(
  change: TextChange,
  { server, nowMs, signal }: {
    readonly server: DnsUpdateServer;
    readonly nowMs: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const id = crypto.getRandomValues(new Uint16Array(1))[0] as number;
  const request = await signUpdate(encodeUpdate(change, id), { server, id, nowMs });
  const ends = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await exchange(request.message, { server, signal: ends });
  await checkAnswer(answer, { id, server, requestMac: request.mac });
}

/** An UPDATE of one record, without its signature. */
export function encodeUpdate(change: TextChange, id: number): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(change.text);
  const data = concat(Uint8Array.of(text.length), text);
  const [recordClass, ttl] = change.present ? [CLASS_IN, TTL] : [CLASS_NONE, 0];
  return concat(
    u16(id),
    u16(OPCODE_UPDATE << 11),
    ...[1, 0, 1, 0].map(u16),
    ...[wireName(change.zone), u16(TYPE.soa), u16(CLASS_IN)],
    ...[wireName(change.name), u16(TYPE.txt), u16(recordClass), u32(ttl), u16(data.length), data],
  );
}

async function signUpdate(
  message: Uint8Array<ArrayBuffer>,
  { server, id, nowMs }: {
    readonly server: DnsUpdateServer;
    readonly id: number;
    readonly nowMs: number;
  },
): Promise<{ readonly message: Uint8Array; readonly mac: Uint8Array }> {
  const time = u48(Math.floor(nowMs / 1000));
  const name = wireName(server.keyName);
  const mac = await hmac(server.key, concat(message, variables(name, time, u16(0), u16(0))));
  const data = concat(
    ...[HMAC_SHA256, time, u16(FUDGE), u16(mac.length), mac, u16(id), u16(0), u16(0)],
  );
  const record = concat(name, u16(TYPE.tsig), u16(CLASS_ANY), u32(0), u16(data.length), data);
  const signed = concat(message, record);
  signed.set(u16(1), 10); // One additional record.
  return { message: signed, mac };
}

/** RFC 8945 §4.3.3; `error` and the length of other data, of which there is none here. */
function variables(name: Uint8Array, time: Uint8Array, error: Uint8Array, other: Uint8Array) {
  return concat(name, u16(CLASS_ANY), u32(0), HMAC_SHA256, time, u16(FUDGE), error, other);
}

async function checkAnswer(
  answer: Uint8Array<ArrayBuffer>,
  { id, server, requestMac }: {
    readonly id: number;
    readonly server: DnsUpdateServer;
    readonly requestMac: Uint8Array;
  },
): Promise<void> {
  const parsed = parseMessage(answer);
  if (!parsed.ok) throw failed(`its answer is malformed: ${parsed.reason}`);
  const { header, additionals } = parsed.value;
  const wireKey = wireName(server.keyName);
  if (!header.isResponse || header.opcode !== OPCODE_UPDATE || header.id !== id) {
    throw failed("its answer is to something else");
  }
  const { responseCode } = header;
  const record = additionals.at(-1);
  if (responseCode !== ResponseCode.noError) {
    const isTsig = record?.type === TYPE.tsig && record.data.end <= answer.length;
    const said = isTsig
      ? tsigError(answer.subarray(record.data.start, record.data.end))
      : undefined;
    throw failed(`it refuses: ${said ?? REFUSALS[responseCode] ?? `code ${responseCode}`}`);
  }
  const name = wireKey;
  const end = record?.data.end ?? 0;
  const start = (record?.data.start ?? 0) - 10 - name.length;
  if (
    record?.type !== TYPE.tsig || end !== answer.length || start < HEADER_BYTES ||
    !nameEquals(record.name, name)
  ) throw failed("its answer is not signed");
  const algorithm = readName(answer, record.data.start);
  if (algorithm === undefined || !nameEquals(algorithm.name, HMAC_SHA256)) {
    throw failed("its answer is signed in another way");
  }
  const at = algorithm.next;
  const size = (answer[at + 8] as number) << 8 | (answer[at + 9] as number);
  const mac = answer.subarray(at + 10, at + 10 + size);
  const unsigned = answer.slice(0, start);
  unsigned.set(u16(additionals.length - 1), 10);
  const time = answer.slice(at, at + 6);
  const wanted = await hmac(
    server.key,
    concat(u16(requestMac.length), requestMac, unsigned, variables(name, time, u16(0), u16(0))),
  );
  if (!isSame(mac, wanted)) throw failed("the signature of its answer is wrong");
}

/** What the data of a signature says is wrong with ours (RFC 8945 §3). */
function tsigError(data: Uint8Array): string | undefined {
  const algorithm = readName(data, 0);
  if (algorithm === undefined) return undefined;
  const at = algorithm.next;
  const u16At = (i: number) => (data[i] ?? 0) << 8 | (data[i + 1] ?? 0);
  const error = u16At(at + 10 + u16At(at + 8) + 2);
  return TSIG_ERRORS[error];
}

const TSIG_ERRORS: Readonly<Record<number, string>> = {
  16: "BADSIG, its key of that name is another one: compare key_file",
  17:
    "BADKEY, it takes no such change with a key of that name: compare key_name, hmac-sha256, and whose zone it is",
  18: "BADTIME, its clock and this one differ by minutes",
};

const REFUSALS: Readonly<Record<number, string>> = {
  1: "FORMERR",
  2: "SERVFAIL",
  4: "NOTIMP",
  5: "REFUSED, the key may not change this",
  9: "NOTAUTH, it does not know the key or the zone",
  10: "NOTZONE, the name is not in the zone",
};

/** One message each way over TCP (RFC 1035 §4.2.2). */
async function exchange(
  message: Uint8Array,
  { server: { hostname, port }, signal }: {
    readonly server: DnsUpdateServer;
    readonly signal: AbortSignal;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  let connection: Deno.TcpConn | undefined;
  const close = () => {
    try {
      connection?.close();
    } catch {
      // It is closed.
    }
  };
  signal.addEventListener("abort", close);
  try {
    connection = await Deno.connect({ hostname, port, signal });
    const writer = connection.writable.getWriter();
    await writer.write(concat(u16(message.length), message));
    writer.releaseLock();
    const prefix = await readExactly(connection, 2);
    return await readExactly(connection, (prefix[0] as number) << 8 | (prefix[1] as number));
  } catch (error) {
    if (error instanceof AcmeError) throw error;
    const why = signal.aborted ? "it does not answer in time" : "it cannot be reached";
    throw new AcmeError("network", `the name server ${hostname}: ${why}`, { cause: error });
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

async function readExactly(
  connection: Deno.TcpConn,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const octets = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(octets.subarray(at));
    if (count === null) throw failed("its answer is cut off");
    at += count;
  }
  return octets;
}

async function hmac(
  base64: string,
  octets: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  let key: CryptoKey;
  try {
    const raw = Uint8Array.fromBase64(base64.trim()) as Uint8Array<ArrayBuffer>;
    key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
  } catch {
    throw failed("the key for it is not base64");
  }
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, octets));
}

function failed(why: string): AcmeError {
  return new AcmeError("failed", `the name server does not take the proof: ${why}`);
}

/** Lower case, as signatures want it (RFC 8945 §4.3.3). */
function wireName(text: string): Name {
  const name = nameFromText(text.toLowerCase());
  if (!name.ok) throw new AcmeError("failed", `${JSON.stringify(text)} is no name: ${name.reason}`);
  return name.value;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ (b[i] as number);
  return difference === 0;
}

function u16(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >> 8 & 0xff, value & 0xff);
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  return concat(u16(Math.floor(value / 0x10000)), u16(value % 0x10000));
}

function u48(value: number): Uint8Array<ArrayBuffer> {
  return concat(u16(Math.floor(value / 0x100000000)), u32(value % 0x100000000));
}
