import { type Answer, ExchangeError } from "../dns_client/mod.ts";
import type { Facts } from "./facts.ts";
import type { Upstream, UpstreamQuestion } from "./upstream.ts";

/** After so long without an answer the next one is asked, too: one that is near answers at once. */
const PATIENCE_MS = 800;
/** Those who ask wait for five seconds (resolv.conf(5)). */
export const DEADLINE_MS = 4500;
/** Questions to upstreams for one of a client's; one upstream alone is asked again, from anew. */
const MOST_ATTEMPTS = 4;
const LEAST_ATTEMPTS = 2;

/** What {@link askGroup} needs beside the question. */
export interface GroupOptions {
  readonly signal: AbortSignal;
  readonly read: (answer: Answer, upstream: Upstream) => Facts | string;
  readonly now: () => number;
  /** Milliseconds; tests have less of it. */
  readonly patienceMs?: number | undefined;
  readonly deadlineMs?: number | undefined;
}

/**
 * Asks upstreams until one says something: the next one at once if one fails, and after a while
 * beside one that is silent; what comes first counts.
 *
 * @throws {ExchangeError} if none says anything in time.
 */
export async function askGroup(
  upstreams: readonly Upstream[],
  question: UpstreamQuestion,
  options: GroupOptions,
): Promise<Facts> {
  const { signal, deadlineMs = DEADLINE_MS } = options;
  const ended = new AbortController();
  const end = () => ended.abort(new DOMException("the question is closed", "AbortError"));
  signal.addEventListener("abort", end, { once: true });
  const timer = setTimeout(end, deadlineMs);
  try {
    signal.throwIfAborted();
    return await race(turnOf(upstreams), question, { ...options, signal: ended.signal });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    end(); // Those who were too slow.
  }
}

/** Those that are up as they are listed, then those that have rested longest. */
function turnOf(upstreams: readonly Upstream[]): Upstream[] {
  const up = upstreams.filter(({ isUp }) => isUp);
  const down = upstreams.filter(({ isUp }) => !isUp)
    .sort((a, b) => a.restsUntil - b.restsUntil);
  const turn = [...up, ...down];
  const attempts = Math.min(Math.max(LEAST_ATTEMPTS, turn.length), MOST_ATTEMPTS);
  return turn.length === 0
    ? []
    : Array.from({ length: attempts }, (_, i) => turn[i % turn.length] as Upstream);
}

/** Lets attempts begin one after the other; the first result of any of them. */
function race(
  turn: readonly Upstream[],
  question: UpstreamQuestion,
  { signal, read, now, patienceMs = PATIENCE_MS }: GroupOptions,
): Promise<Facts> {
  const { promise, resolve, reject } = Promise.withResolvers<Facts>();
  const underWay = new Map<Upstream, number>();
  let begun = 0;
  let running = 0;
  let last: unknown = new ExchangeError("network", "there is no upstream to ask");
  let timer: ReturnType<typeof setTimeout> | undefined;

  const settle = (settleIt: () => void) => {
    clearTimeout(timer);
    for (const [upstream, since] of underWay) {
      if (now() - since >= patienceMs) upstream.noteFailure();
    }
    underWay.clear();
    begun = turn.length;
    settleIt();
  };
  const next = () => {
    clearTimeout(timer);
    const upstream = turn[begun];
    if (upstream !== undefined && !signal.aborted) {
      begun++;
      running++;
      timer = setTimeout(next, patienceMs);
      attempt(upstream).catch(reject); // It does not throw.
    } else if (running === 0) settle(() => reject(last));
  };
  const attempt = async (upstream: Upstream) => {
    if (!underWay.has(upstream)) underWay.set(upstream, now());
    try {
      const answer = await upstream.ask(question, signal);
      underWay.delete(upstream);
      const facts = read(answer, upstream);
      if (typeof facts !== "string") return settle(() => resolve(facts));
      last = new ExchangeError("invalid", facts);
    } catch (error) {
      if (!signal.aborted) underWay.delete(upstream);
      last = error;
    } finally {
      running--;
    }
    next();
  };
  signal.addEventListener("abort", () => {
    settle(() => reject(new ExchangeError("timeout", "no upstream answered in time")));
  }, { once: true });
  next();
  return promise;
}

/**
 * Asks an upstream that was down and has rested the question of somebody who does not wait for it.
 * What it answers does not matter, only that it does.
 */
export async function tryAgain(
  upstream: Upstream,
  question: UpstreamQuestion,
  { signal, deadlineMs = DEADLINE_MS }: Pick<GroupOptions, "signal" | "deadlineMs">,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  signal.addEventListener("abort", end, { once: true });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, deadlineMs);
  try {
    await upstream.ask(question, ended.signal);
  } catch {
    if (isLate) upstream.noteFailure(); // Other failures it has noted itself.
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
