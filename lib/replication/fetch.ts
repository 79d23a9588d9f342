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
import {
  askServer,
  askTcp,
  closingWith,
  readFramed,
  type Server,
  writeFramed,
} from "../dns_client/mod.ts";
import { encodeTransferQuery, TransferReader, type TransferResult } from "../transfer/mod.ts";
import { signMessage, type TsigKey, TsigVerifier, verifyMessage } from "../tsig/mod.ts";

/** A server that has a zone first. */
export interface Primary extends Server {
  /** Questions are signed with it, and answers have to be. */
  readonly key?: TsigKey | undefined;
}

/** Octets of one transfer; a record takes some forty. */
const MAX_OCTETS = 256 * 1024 * 1024;

/** Between two messages of a transfer, and until it begins. */
const SILENCE_MS = 30_000;
/** How long an answer over UDP is waited for before the question is asked again; a datagram may be lost. */
const UDP_WAITS_MS = [2000, 4000, 8000] as const;

/** Why a zone could not be had. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  /** `older`: the primary has a version that comes before ours. */
  readonly code: "network" | "refused" | "invalid" | "unsigned" | "older";

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
  readonly silenceMs?: number | undefined;
  readonly udpWaitsMs?: readonly number[] | undefined;
  /** Of one transfer. */
  readonly maxOctets?: number | undefined;
}

/**
 * The serial that a primary has.
 *
 * @throws {TransferError}
 */
export async function fetchSerial(
  primary: Primary,
  zone: Name,
  { signal, time, udpWaitsMs = UDP_WAITS_MS }: FetchOptions,
): Promise<number> {
  const id = randomId();
  const question = { name: zone, type: TYPE.SOA, class: 1 };
  const query = encodeQuery({ id, name: zone, type: TYPE.SOA }).with(2, 0);
  const { key } = primary;
  const signed = key && await signMessage(query, { key, time: time() });
  const asked = { server: primary, query: signed?.octets ?? query, id, question };
  // A signed answer is a few octets longer than what fits for sure.
  const waits = key === undefined ? udpWaitsMs : [sum(udpWaitsMs)];
  const ask = key === undefined ? askServer : askTcp;
  const { message, bytes } = await onTheNetwork(() =>
    patiently(waits, signal, (signal) => ask({ ...asked, signal }))
  );
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
  { signal, time, silenceMs = SILENCE_MS, maxOctets = MAX_OCTETS }: FetchOptions,
): Promise<TransferResult> {
  const id = randomId();
  const query = encodeTransferQuery({ id, zone, serial });
  const { key } = primary;
  const signed = key && await signMessage(query, { key, time: time() });
  const verifier = key && signed && new TsigVerifier(key, signed.mac);
  const reader = new TransferReader({ id, zone, serial });
  return await withConnection(primary, { signal, silenceMs }, async (connection, heard) => {
    await writeFramed(connection, signed?.octets ?? query);
    for (let octets = 0; octets <= maxOctets;) {
      const bytes = await readFramed(connection);
      if (typeof bytes === "string") throw invalid("the transfer ends before the zone does");
      heard();
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
    throw invalid(`more than ${maxOctets} octets`);
  });
}

/** Does something again for as long as it takes too long, each time with more patience. */
async function patiently<T>(
  waitsMs: readonly number[],
  signal: AbortSignal,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let last: unknown;
  for (const waitMs of waitsMs) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), waitMs);
    try {
      return await body(AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (!late.signal.aborted || signal.aborted) throw error;
      last = error;
    } finally {
      clearTimeout(timer);
    }
  }
  throw new TransferError("network", "the primary does not answer", { cause: last });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, own) => all + own, 0);
}

/** A connection that ends when nothing is heard on it for too long. */
async function withConnection<T>(
  { hostname, port }: Server,
  { signal: outer, silenceMs }: { readonly signal: AbortSignal; readonly silenceMs: number },
  body: (connection: Deno.TcpConn, heard: () => void) => Promise<T>,
): Promise<T> {
  const silent = new AbortController();
  const signal = AbortSignal.any([outer, silent.signal]);
  let timer = setTimeout(() => silent.abort(), silenceMs);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), silenceMs);
  };
  try {
    return await connected({ hostname, port }, signal, (connection) => body(connection, heard));
  } catch (error) {
    if (!silent.signal.aborted || outer.aborted) throw error;
    const message = `the primary says nothing for ${silenceMs} ms`;
    throw new TransferError("network", message, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function connected<T>(
  { hostname, port }: Server,
  signal: AbortSignal,
  body: (connection: Deno.TcpConn) => Promise<T>,
): Promise<T> {
  return await onTheNetwork(async () => {
    const connection = await Deno.connect({ hostname, port, signal });
    using _closing = closingWith(signal, connection);
    signal.throwIfAborted();
    return await body(connection);
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
