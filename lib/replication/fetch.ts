import {
  encodeQuery,
  type Name,
  nameEquals,
  octetString,
  parseMessage,
  readRdata,
  serialIn,
  TYPE,
} from "../dns/mod.ts";
import { askServer, askTcp, readFramed, type Server, writeFramed } from "../dns_client/mod.ts";
import { encodeTransferQuery, TransferReader, type TransferResult } from "../transfer/mod.ts";
import { signMessage, type TsigKey, TsigVerifier, verifyMessage } from "../tsig/mod.ts";

/** A server that has a zone first. */
export interface Primary extends Server {
  /** Questions are signed with it, and answers have to be. */
  readonly key?: TsigKey | undefined;
}

/** Octets of one transfer; a record takes some forty. */
const MAX_OCTETS = 256 * 1024 * 1024;

/** Why a zone could not be had. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly code: "network" | "refused" | "invalid" | "unsigned";

  constructor(code: TransferError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What is asked for, and until when. */
export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Seconds since 1970. */
  readonly time: () => number;
}

/**
 * The serial that a primary has.
 *
 * @throws {TransferError}
 */
export async function fetchSerial(
  primary: Primary,
  zone: Name,
  { signal, time }: FetchOptions,
): Promise<number> {
  const id = randomId();
  const question = { name: zone, type: TYPE.SOA, class: 1 };
  const query = encodeQuery({ id, name: zone, type: TYPE.SOA }).with(2, 0);
  const { key } = primary;
  const signed = key && await signMessage(query, { key, time: time() });
  const asked = { server: primary, query: signed?.octets ?? query, id, question, signal };
  // A signed answer is a few octets longer than what fits for sure.
  const { message, bytes } = await onTheNetwork(() => (key ? askTcp : askServer)(asked));
  if (key !== undefined && signed !== undefined) {
    const options = { keys: [key], time: time(), requestMac: signed.mac };
    const verdict = await verifyMessage({ message, octets: bytes }, options);
    if (verdict.kind !== "verified") throw unsigned("its SOA record");
  }
  const soa = message.answers.find(({ name, type }) => type === TYPE.SOA && nameEquals(name, zone));
  const data = soa && readRdata(bytes, TYPE.SOA, soa.data);
  if (!message.header.isAuthoritative || data === undefined) {
    const { responseCode } = message.header;
    throw new TransferError("refused", `it has no SOA record of the zone (code ${responseCode})`);
  }
  return serialIn(octetString(data));
}

/**
 * A zone of a primary, or what changed in it since a serial; as a whole where it does not know what
 * changed.
 *
 * @throws {TransferError}
 */
export async function fetchZone(
  primary: Primary,
  { zone, serial }: { readonly zone: Name; readonly serial: number | undefined },
  options: FetchOptions,
): Promise<TransferResult> {
  try {
    return await fetchOnce(primary, { zone, serial }, options);
  } catch (error) {
    const isDenied = error instanceof TransferError &&
      (error.code === "refused" || error.code === "invalid");
    if (serial === undefined || !isDenied) throw error;
    // RFC 1995 §4: some servers know whole zones only.
    return await fetchOnce(primary, { zone, serial: undefined }, options);
  }
}

async function fetchOnce(
  primary: Primary,
  { zone, serial }: { readonly zone: Name; readonly serial: number | undefined },
  { signal, time }: FetchOptions,
): Promise<TransferResult> {
  const id = randomId();
  const query = encodeTransferQuery({ id, zone, serial });
  const { key } = primary;
  const signed = key && await signMessage(query, { key, time: time() });
  const verifier = key && signed && new TsigVerifier(key, signed.mac);
  const reader = new TransferReader({ id, zone, serial });
  return await withConnection(primary, signal, async (connection) => {
    await writeFramed(connection, signed?.octets ?? query);
    for (let octets = 0; octets <= MAX_OCTETS;) {
      const bytes = await readFramed(connection);
      if (typeof bytes === "string") throw invalid("the transfer ends before the zone does");
      octets += bytes.length;
      const message = parseMessage(bytes);
      if (!message.ok) throw invalid(message.reason);
      const end = reader.take(message.value, bytes);
      if (end.kind === "failed" && end.code !== undefined) {
        throw new TransferError("refused", end.reason);
      }
      const verdict = await verifier?.check(bytes, time()) ?? "ok";
      if (verdict !== "ok") throw unsigned(`a message (${verdict})`);
      if (end.kind === "failed") throw invalid(end.reason);
      if (end.kind === "need") continue;
      if (verifier !== undefined && !verifier.isComplete) throw unsigned("the last message");
      return end.result;
    }
    throw invalid(`more than ${MAX_OCTETS} octets`);
  });
}

async function withConnection<T>(
  { hostname, port }: Server,
  signal: AbortSignal,
  body: (connection: Deno.TcpConn) => Promise<T>,
): Promise<T> {
  return await onTheNetwork(async () => {
    const connection = await Deno.connect({ hostname, port, signal });
    let open = true;
    const close = () => {
      if (open) connection.close();
      open = false;
    };
    signal.addEventListener("abort", close, { once: true });
    try {
      signal.throwIfAborted();
      return await body(connection);
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  });
}

async function onTheNetwork<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof TransferError) throw error;
    throw new TransferError("network", "the primary cannot be asked", { cause: error });
  }
}

function invalid(reason: string): TransferError {
  return new TransferError("invalid", `the primary sends no zone: ${reason}`);
}

function unsigned(what: string): TransferError {
  return new TransferError("unsigned", `the primary does not sign ${what} with the key`);
}

function randomId(): number {
  return crypto.getRandomValues(new Uint16Array(1))[0] as number;
}
