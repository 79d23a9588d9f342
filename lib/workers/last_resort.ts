import { describeError, type LogRecord } from "../observe/mod.ts";

/** Lines a second: a failure that repeats must not become a flood of messages to the main thread. */
const MAX_LINES = 10;
const SECOND_MS = 1000;

/** Where errors arrive that nobody caught. */
export type ErrorTarget = Pick<EventTarget, "addEventListener">;

/** What the last resort is given from outside. */
export interface LastResortOptions {
  readonly log: (record: LogRecord) => void;
  readonly now: () => number;
}

/**
 * Keeps a thread alive when something throws where nobody catches: a mistake in the handling of one
 * connection must not cost everybody else theirs. Exchanges, sessions and connections catch their
 * own; what arrives here is a mistake that has to be mended, and is logged as one.
 */
export function installLastResort(
  target: ErrorTarget,
  { log, now }: LastResortOptions,
): void {
  let since = -Infinity;
  let lines = 0;
  let unsaid = 0;
  const survive = (error: unknown) => {
    if (now() - since >= SECOND_MS) [since, lines] = [now(), 0];
    if (lines++ >= MAX_LINES) return void unsaid++;
    const fields = { reason: describeError(error), ...unsaid > 0 && { unsaid } };
    unsaid = 0;
    log({ level: "error", message: "an error that nobody caught", fields });
  };
  target.addEventListener("error", (event) => {
    event.preventDefault();
    survive((event as ErrorEvent).error);
  });
  target.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    survive((event as PromiseRejectionEvent).reason);
  });
}
