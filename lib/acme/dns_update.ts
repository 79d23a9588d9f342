import { CLASS_IN, type Name, nameFromText, parseMessage, ResponseCode, TYPE } from "../dns/mod.ts";
import { readFramed, writeFramed } from "../dns_client/mod.ts";
import {
  createTsigKey,
  findTsig,
  signMessage,
  TSIG_ERROR,
  type TsigKey,
  verifyMessage,
} from "../tsig/mod.ts";
import { concat, u16, u32 } from "../wire/mod.ts";
import { AcmeError } from "./error.ts";

const OPCODE_UPDATE = 5;
/** RFC 2136 §2.5.4: of a record that is to go. */
const CLASS_NONE = 254;
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
  const key = keyOf(server);
  const time = Math.floor(nowMs / 1000);
  const request = await signMessage(encodeUpdate(change, id), { key, time });
  const ends = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await exchange(request.octets, { server, signal: ends });
  await checkAnswer(answer, { id, key, time, requestMac: request.mac });
}

function keyOf({ keyName: name, key: secret }: DnsUpdateServer): TsigKey {
  // How long it is was the name server's choice.
  const key = createTsigKey({ name, secret }, { leastOctets: 1 });
  if (!key.ok) throw failed(`the key for it: ${key.reason}`);
  return key.value;
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
    ...[wireName(change.zone), u16(TYPE.SOA), u16(CLASS_IN)],
    ...[wireName(change.name), u16(TYPE.TXT), u16(recordClass), u32(ttl), u16(data.length), data],
  );
}

async function checkAnswer(
  octets: Uint8Array,
  { id, ...options }: {
    readonly id: number;
    readonly key: TsigKey;
    readonly time: number;
    readonly requestMac: Uint8Array;
  },
): Promise<void> {
  const parsed = parseMessage(octets);
  if (!parsed.ok) throw failed(`its answer is malformed: ${parsed.reason}`);
  const message = parsed.value;
  const { header } = message;
  if (!header.isResponse || header.opcode !== OPCODE_UPDATE || header.id !== id) {
    throw failed("its answer is to something else");
  }
  const { responseCode } = header;
  if (responseCode !== ResponseCode.noError) {
    const found = findTsig(message, octets);
    const said = found.kind === "signed" ? TSIG_ERRORS[found.record.error] : undefined;
    throw failed(`it refuses: ${said ?? REFUSALS[responseCode] ?? `code ${responseCode}`}`);
  }
  const { key, time, requestMac } = options;
  const verdict = await verifyMessage({ message, octets }, { keys: [key], time, requestMac });
  if (verdict.kind === "verified") return;
  if (verdict.kind !== "refused") throw failed("its answer is not signed");
  throw failed(`the signature of its answer is wrong: ${TSIG_ERRORS[verdict.error]}`);
}

const TSIG_ERRORS: Readonly<Record<number, string>> = {
  [TSIG_ERROR.badSig]: "BADSIG, its key of that name is another one: compare key_file",
  [TSIG_ERROR.badKey]:
    "BADKEY, it takes no such change with a key of that name: compare key_name, hmac-sha256, and whose zone it is",
  [TSIG_ERROR.badTime]: "BADTIME, its clock and this one differ by minutes",
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
    await writeFramed(connection, message);
    const answer = await readFramed(connection);
    if (typeof answer === "string") throw failed("its answer is cut off");
    return answer;
  } catch (error) {
    if (error instanceof AcmeError) throw error;
    const why = signal.aborted ? "it does not answer in time" : "it cannot be reached";
    throw new AcmeError("network", `the name server ${hostname}: ${why}`, { cause: error });
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function failed(why: string): AcmeError {
  return new AcmeError("failed", `the name server does not take the proof: ${why}`);
}

function wireName(text: string): Name {
  const name = nameFromText(text.toLowerCase());
  if (!name.ok) throw new AcmeError("failed", `${JSON.stringify(text)} is no name: ${name.reason}`);
  return name.value;
}
