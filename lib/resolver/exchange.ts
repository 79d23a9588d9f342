import { formatIp, parseIp } from "../addr/mod.ts";
import {
  CLASS_IN,
  encodeQuery,
  MAX_MESSAGE_BYTES,
  type Message,
  nameEquals,
  parseMessage,
  type Question,
} from "../dns/mod.ts";

/** RFC 9715 §3.1: what travels without fragments everywhere. */
const UDP_PAYLOAD_BYTES = 1232;
/** More than we ask for, from servers that do not look. */
const UDP_BUFFER_BYTES = 4096;
/**
 * Datagrams that are no answer to the question, after which we ask over TCP: somebody guesses
 * (RFC 5452 §9.3).
 */
const MAX_STRANGE_DATAGRAMS = 32;

/** A server that answers recursive questions. */
export interface Server {
  /** A literal address. */
  readonly hostname: string;
  readonly port: number;
}

/** A message that answers a question, and its octets. */
export interface Answer {
  readonly message: Message;
  readonly bytes: Uint8Array;
}

/** Why a server gave no answer that can be used. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly code: "timeout" | "network" | "invalid" | "guessed";

  constructor(code: ExchangeError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Asks a server one question. */
export type Exchange = (
  server: Server,
  question: Question,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly edns: boolean },
) => Promise<Answer>;

/**
 * Asks over UDP, from a port of its own and with an id that nobody can know; over TCP if the answer
 * is cut off or somebody sends answers that are none.
 *
 * @throws {ExchangeError}
 */
export const exchange: Exchange = async (server, question, { timeoutMs, signal, edns }) => {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const either = AbortSignal.any([timeout.signal, signal]);
  const id = crypto.getRandomValues(new Uint16Array(1))[0] as number;
  const query = encodeQuery({
    id,
    name: question.name,
    type: question.type,
    ...edns && { udpPayloadBytes: UDP_PAYLOAD_BYTES },
  });
  const asked = { server, query, id, question, signal: either };
  try {
    const answer = await askUdp(asked);
    return answer === undefined || answer.message.header.isTruncated ? await askTcp(asked) : answer;
  } catch (error) {
    if (error instanceof ExchangeError) throw error;
    if (timeout.signal.aborted) {
      throw new ExchangeError("timeout", `no answer within ${timeoutMs} ms`, { cause: error });
    }
    throw new ExchangeError("network", "the server cannot be asked", { cause: error });
  } finally {
    clearTimeout(timer);
  }
};

interface Asked {
  readonly server: Server;
  readonly query: Uint8Array;
  readonly id: number;
  readonly question: Question;
  readonly signal: AbortSignal;
}

/** The answer; nothing when too many datagrams came that are none. */
async function askUdp(asked: Asked): Promise<Answer | undefined> {
  const { server, query, signal } = asked;
  signal.throwIfAborted();
  const hostname = server.hostname.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  let open = true;
  const close = () => {
    if (open) socket.close();
    open = false;
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    await socket.send(query, { transport: "udp", ...server });
    const buffer = new Uint8Array(UDP_BUFFER_BYTES);
    for (let strange = 0; strange < MAX_STRANGE_DATAGRAMS; strange++) {
      const [bytes, from] = await socket.receive(buffer);
      const answer = isFrom(from, server) ? readAnswer(bytes, asked) : undefined;
      if (answer !== undefined) return answer;
    }
    return undefined;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

async function askTcp(asked: Asked): Promise<Answer> {
  const { server, query, signal } = asked;
  const connection = await Deno.connect({ ...server, signal });
  let open = true;
  const close = () => {
    if (open) connection.close();
    open = false;
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    const framed = new Uint8Array(2 + query.length);
    framed.set([query.length >> 8, query.length & 255]);
    framed.set(query, 2);
    for (let at = 0; at < framed.length;) at += await connection.write(framed.subarray(at));
    const [high = 0, low = 0] = await readExactly(connection, 2);
    const bytes = await readExactly(connection, Math.min(high << 8 | low, MAX_MESSAGE_BYTES));
    const answer = readAnswer(bytes, asked);
    if (answer === undefined) throw new ExchangeError("invalid", "the answer is to something else");
    return answer;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

async function readExactly(connection: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw new ExchangeError("invalid", "the answer is cut off");
    at += count;
  }
  return bytes;
}

/** The message, if it is one and answers what was asked (RFC 5452 §9.1). */
function readAnswer(bytes: Uint8Array, { id, question }: Asked): Answer | undefined {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) return undefined;
  const { header, questions } = parsed.value;
  if (!header.isResponse || header.opcode !== 0 || header.id !== id) return undefined;
  const [asked, ...more] = questions;
  // A server that did not understand the question may leave it out.
  const isSame = asked === undefined ? header.responseCode !== 0 : more.length === 0 &&
    asked.type === question.type && asked.class === CLASS_IN &&
    nameEquals(asked.name, question.name);
  return isSame ? { message: parsed.value, bytes: bytes.slice() } : undefined;
}

function isFrom(from: Deno.Addr, { hostname, port }: Server): boolean {
  if (from.transport !== "udp" || from.port !== port) return false;
  const ip = parseIp(from.hostname);
  return ip.ok && formatIp(ip.value) === hostname;
}
