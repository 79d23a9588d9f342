import { listenToChannel, type PostgresServer } from "../postgres/mod.ts";

/** The channel of `deploy/postgres/notify.sql`. */
const CHANNEL = "mc_proxy_connector";

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
 * Listens for the notifications of `deploy/postgres/notify.sql`. Where the triggers are not installed
 * it hears nothing, and sessions are re-authorised by the clock only.
 */
export function watchPostgresChanges(
  { server, onChange, onState }: PostgresChangesOptions,
): AsyncDisposable {
  return listenToChannel({
    server,
    applicationName: "mc-proxy connector changes",
    channel: () => CHANNEL,
    maxPauseMs: MAX_PAUSE_MS,
    onNotify: () => onChange(),
    onState: (...told) => onState?.(...told),
  });
}
