import { formatIp, parseIp } from "../addr/mod.ts";
import { CLASS_IN, type Message, nameEquals, parseMessage, type Question } from "../dns/mod.ts";
import { closingWith, openDatagrams } from "./closing.ts";
import { readFramed, writeFramed } from "./framed.ts";

/** More than we ask for, from servers that do not look. */
const UDP_BUFFER_BYTES = 4096;
/**
 * Datagrams that are no answer to the question, after which we ask over TCP: somebody guesses
 * (RFC 5452 §9.3).
 */
const MAX_STRANGE_DATAGRAMS = 32;

/** A server that answers questions. */
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

/** A question as it is sent to a server. */
export interface Asked {
  readonly server: Server;
  /** The whole message. */
  readonly query: Uint8Array;
  readonly id: number;
  readonly question: Question;
  readonly signal: AbortSignal;
  /** Whether an answer over UDP has to repeat the case of the question's letters. */
  readonly isCaseKept?: boolean;
  /** Told of each datagram that is no answer. */
  readonly onStrange?: () => void;
}

/**
 * Asks over UDP, from a port of its own; over TCP if the answer is cut off or somebody sends answers
 * that are none.
 *
 * @throws {ExchangeError} and what sockets throw.
 */
export async function askServer(asked: Asked): Promise<Answer> {
  const answer = await askUdp(asked);
  return answer === undefined || answer.message.header.isTruncated ? await askTcp(asked) : answer;
}

/** The answer; nothing when the datagrams that came have to be taken for somebody else's. */
async function askUdp(asked: Asked): Promise<Answer | undefined> {
  const { server, query, signal, isCaseKept = false, onStrange } = asked;
  signal.throwIfAborted();
  const socket = openDatagrams(server.hostname);
  using _closing = closingWith(signal, socket);
  await socket.send(query, { transport: "udp", ...server });
  const buffer = new Uint8Array(UDP_BUFFER_BYTES);
  for (let strange = 0; strange < MAX_STRANGE_DATAGRAMS; strange++) {
    const [bytes, from] = await socket.receive(buffer);
    const answer = isFrom(from, server) ? readAnswer(bytes, asked) : undefined;
    if (answer !== undefined && !(isCaseKept && isOtherCase(answer, asked))) return answer;
    onStrange?.();
    // The id is right: either a server that does not keep the case, or one good guess too many.
    if (answer !== undefined) return undefined;
  }
  return undefined;
}

/**
 * Asks over TCP, on a connection of its own.
 *
 * @throws {ExchangeError} and what sockets throw.
 */
export async function askTcp(asked: Asked): Promise<Answer> {
  const { server, query, signal } = asked;
  const connection = await Deno.connect({ ...server, signal });
  using _closing = closingWith(signal, connection);
  signal.throwIfAborted();
  await writeFramed(connection, query);
  const bytes = await readFramed(connection);
  if (typeof bytes === "string") throw new ExchangeError("invalid", "the answer is cut off");
  const answer = readAnswer(bytes, asked);
  if (answer === undefined) throw new ExchangeError("invalid", "the answer is to something else");
  return answer;
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

function isOtherCase({ message }: Answer, { question }: Asked): boolean {
  const name = message.questions[0]?.name;
  return name !== undefined && name.some((octet, i) => octet !== question.name[i]);
}

function isFrom(from: Deno.Addr, { hostname, port }: Server): boolean {
  if (from.transport !== "udp" || from.port !== port) return false;
  const ip = parseIp(from.hostname);
  return ip.ok && formatIp(ip.value) === hostname;
}
