import {
  CLASS_IN,
  type Name,
  nameFromText,
  type Question,
  readAddressAnswer,
  type ResolvConf,
  ResponseCode,
} from "../dns/mod.ts";
import {
  type Answer,
  type Exchange,
  exchange,
  ExchangeError,
  type Server,
} from "../dns_client/mod.ts";

/**
 * Where resolv.conf does not say: less than half of the system's five seconds, because a connection
 * to a backend waits, and has as much for all of it.
 */
const SERVER_TIMEOUT_MS = 2000;
/** A server that was silent is asked after the others for so long. */
const SILENT_SERVER_MS = 30_000;
/** Names that an alias may lead over, each of which takes a question of its own. */
const MAX_ALIASES = 8;
/** For a negative answer that does not say how long it holds. */
const DEFAULT_NEGATIVE_TTL_S = 5;

/** Addresses of a name in one family, and for how many seconds they hold. */
export interface Found {
  readonly addresses: readonly string[];
  readonly ttl: number;
}

/** Finds the addresses of a name, of one type of record. */
export type Questioner = (name: string, type: number, signal: AbortSignal) => Promise<Found>;

/** What tests replace. */
export interface QuestionerOptions {
  readonly exchange?: Exchange;
  /** Milliseconds from any point. */
  readonly now?: () => number;
}

/**
 * Asks servers in turn, as often as resolv.conf says; one that was silent comes last.
 *
 * @param whom Read anew for each question.
 */
export function createQuestioner(
  whom: () => { readonly servers: readonly Server[]; readonly conf: ResolvConf },
  options: QuestionerOptions = {},
): Questioner {
  const { exchange: ask = exchange, now = () => performance.now() } = options;
  const silentSince = new Map<string, number>();

  const isSilent = ({ hostname }: Server) =>
    now() - (silentSince.get(hostname) ?? -Infinity) < SILENT_SERVER_MS;

  async function askOne(server: Server, question: Question, signal: AbortSignal): Promise<Answer> {
    const timeoutMs = whom().conf.timeoutMs ?? SERVER_TIMEOUT_MS;
    try {
      const answer = await ask(server, question, { timeoutMs, signal, edns: true });
      silentSince.delete(server.hostname);
      const { responseCode } = answer.message.header;
      // RFC 6891 §7: a server that does not know EDNS.
      const knowsEdns = responseCode !== ResponseCode.formatError &&
        responseCode !== ResponseCode.notImplemented;
      return knowsEdns ? answer : await ask(server, question, { timeoutMs, signal, edns: false });
    } catch (error) {
      if (error instanceof ExchangeError && error.code === "timeout") {
        silentSince.set(server.hostname, now());
      }
      throw error;
    }
  }

  /** The first answer that says something. */
  async function askAll(question: Question, signal: AbortSignal) {
    const { servers, conf } = whom();
    let last: unknown = new ExchangeError("network", "there is no server to ask");
    for (let attempt = 0; attempt < conf.attempts; attempt++) {
      const turn = [...servers.filter((it) => !isSilent(it)), ...servers.filter(isSilent)];
      for (const server of turn) {
        signal.throwIfAborted();
        try {
          const { message, bytes } = await askOne(server, question, signal);
          const answer = readAddressAnswer(message, bytes, question);
          if (answer.kind !== "failure") return answer;
          last = new ExchangeError("invalid", answer.reason);
        } catch (error) {
          last = error;
        }
      }
    }
    throw last;
  }

  return async (text, type, signal) => {
    const parsed = nameFromText(text);
    if (!parsed.ok) throw new ExchangeError("invalid", parsed.reason);
    let name: Name = parsed.value;
    let ttl = Infinity;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const answer = await askAll({ name, type, class: CLASS_IN }, signal);
      ttl = Math.min(ttl, answer.ttl ?? DEFAULT_NEGATIVE_TTL_S);
      if (answer.kind !== "alias") {
        return { addresses: answer.kind === "addresses" ? answer.addresses : [], ttl };
      }
      name = answer.target;
    }
    throw new ExchangeError("invalid", "aliases without end");
  };
}
