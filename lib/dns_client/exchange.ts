import { encodeQuery, type Question } from "../dns/mod.ts";
import { type Answer, askServer, ExchangeError, type Server } from "./ask.ts";

/** RFC 9715 §3.1: what travels without fragments everywhere. */
const UDP_PAYLOAD_BYTES = 1232;

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
  try {
    return await askServer({ server, query, id, question, signal: either });
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
