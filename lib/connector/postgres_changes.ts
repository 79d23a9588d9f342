import { backoffMs, openPostgres, pause, type PostgresServer } from "../postgres/mod.ts";

/** The channel of `deploy/postgres/notify.sql`. */
const CHANNEL = "mc_proxy_connector";

/** For login and LISTEN. */
const CONNECT_TIMEOUT_MS = 5_000;

/** A server that cannot LISTEN (a standby, a pooler) is not asked more often than this. */
const MAX_PAUSE_MS = 30_000;

/** Settings of {@link watchPostgresChanges}. */
export interface PostgresChangesOptions {
  readonly server: PostgresServer;
  /**
   * Called when a row may have changed: on a notification, and when listening starts again, because
   * what happened in between was not heard.
   */
  readonly onChange: () => void;
  /** Told when listening starts and, with the reason, when it is interrupted. */
  readonly onState?: (state: "listening" | "interrupted", error?: unknown) => void;
}

/**
 * Listens for the notifications of `deploy/postgres/notify.sql`, on a connection of its own that is
 * made again, with back-off, whenever it is lost. Where the triggers are not installed it
 * hears nothing, and sessions are re-authorised by the clock only.
 */
export function watchPostgresChanges(options: PostgresChangesOptions): AsyncDisposable {
  const stop = new AbortController();
  const done = watch(options, stop.signal);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

async function watch(options: PostgresChangesOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await listen(options, signal, () => failures = 0);
      if (!signal.aborted) options.onState?.("interrupted");
    } catch (error) {
      if (!signal.aborted) options.onState?.("interrupted", error);
    }
    failures++;
    await pause(backoffMs(failures, MAX_PAUSE_MS), signal);
  }
}

/** Returns when the connection has ended; throws when it could not be made. */
async function listen(
  { server, onChange, onState }: PostgresChangesOptions,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const end = () => ended.resolve();
  const client = openPostgres({
    server,
    connections: 1,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: 0,
    applicationName: "mc-proxy connector changes",
    onClose: end,
    onNotify: onChange,
  });
  const timer = setTimeout(end, CONNECT_TIMEOUT_MS);
  signal.addEventListener("abort", end);
  try {
    const listening = client.sql.unsafe(`LISTEN ${CHANNEL}`).then(() => {
      clearTimeout(timer);
      onListening();
      onState?.("listening");
      onChange();
      return ended.promise;
    });
    await Promise.race([listening, ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    await client.destroy();
  }
}
