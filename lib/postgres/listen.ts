import { backoffMs, openPostgres, pause } from "./client.ts";
import type { PostgresServer } from "./socket.ts";

/** For login and LISTEN. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Settings of {@link listenToChannel}. */
export interface ChannelListenOptions {
  readonly server: PostgresServer;
  /** How the server's list of sessions names it. */
  readonly applicationName: string;
  /** Lower-case letters, digits and `_`; asked for before each connection. */
  readonly channel: () => string | Promise<string>;
  /** The longest pause between two attempts, in milliseconds. */
  readonly maxPauseMs: number;
  /** Called with each payload, and with nothing when notifications may have been missed. */
  readonly onNotify: (payload?: string) => void;
  /** Told when listening starts and, with the reason if one is known, when it is interrupted. */
  readonly onState: (state: "listening" | "interrupted", error?: unknown) => void;
}

/**
 * Listens for notifications, on a connection of its own that is made again, with back-off, whenever
 * it is lost. Disposing of it waits for nobody but `channel`.
 */
export function listenToChannel(options: ChannelListenOptions): AsyncDisposable {
  const stop = new AbortController();
  const done = listen(options, stop.signal);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

async function listen(options: ChannelListenOptions, signal: AbortSignal): Promise<void> {
  const { maxPauseMs, onState } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await listenOnce(options, signal, () => failures = 0);
      if (!signal.aborted) onState("interrupted");
    } catch (error) {
      if (!signal.aborted) onState("interrupted", error);
    }
    failures++;
    await pause(backoffMs(failures, maxPauseMs), signal);
  }
}

/** Returns when the connection has ended; throws when it could not be made. */
async function listenOnce(
  { server, applicationName, channel, onNotify, onState }: ChannelListenOptions,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  const name = await channel();
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error("there is no usable channel to listen to");
  // A signal that was given meanwhile does not come again.
  if (signal.aborted) return;
  const ended = Promise.withResolvers<void>();
  const end = () => ended.resolve();
  const client = openPostgres({
    server,
    applicationName,
    connections: 1,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: 0,
    onClose: end,
    onNotify,
  });
  const timer = setTimeout(end, CONNECT_TIMEOUT_MS);
  signal.addEventListener("abort", end);
  try {
    const listening = client.sql.unsafe(`LISTEN ${name}`).then(() => {
      clearTimeout(timer);
      onListening();
      onState("listening");
      onNotify();
      return ended.promise;
    });
    await Promise.race([listening, ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    await client.destroy();
  }
}
