/** From the most to the least talkative. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** One structured log event. */
export interface LogRecord {
  readonly level: LogLevel;
  /** What happened, as a fixed phrase without values. */
  readonly message: string;
  /**
   * The values, by names in camelCase that the log writes in snake_case; strings may come from
   * strangers, the writer escapes them. A fixed set of names, never a stranger's.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Where log events go. */
export type LogSink = (record: LogRecord) => void;

/** The message of an error and of its causes, on one line and without stack traces. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && parts.length < 4;) {
    parts.push(at instanceof Error ? at.message : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ").replace(/\s+/g, " ");
}
