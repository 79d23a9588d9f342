import { backoffMs, openPostgres, pause, type PostgresServer } from "../postgres/mod.ts";

/** For login and LISTEN. */
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_PAUSE_MS = 5_000;

/** Settings of {@link listenToGroup}. */
export interface ListenOptions {
  readonly server: PostgresServer;
  /** The group's; read anew before each connection, for the group may have been made anew. */
  readonly channel: () => Promise<string>;
  /** Called with a revision that there is, or with nothing when one may have been missed. */
  readonly onRevision: (revision?: number) => void;
  /** Told why nothing is heard, and with nothing when it is again. */
  readonly onProblem: (error: unknown) => void;
}

/**
 * Listens for revisions, on a connection of its own that is made again, with back-off, whenever it is
 * lost. A hint and no more: whoever is told reads the log, and looks there now and then untold.
 */
export function listenToGroup(options: ListenOptions): AsyncDisposable {
  const stop = new AbortController();
  const done = listenOn(options, stop.signal);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

async function listenOn(options: ListenOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await listenOnce(options, signal, () => failures = 0);
      if (!signal.aborted) options.onProblem(new Error("the connection has ended"));
    } catch (error) {
      if (!signal.aborted) options.onProblem(error);
    }
    failures++;
    await pause(backoffMs(failures, MAX_PAUSE_MS), signal);
  }
}

/** Returns when the connection has ended; throws when it could not be made. */
async function listenOnce(
  { server, channel, onRevision, onProblem }: ListenOptions,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  const name = await channel();
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error("the group has no usable channel");
  const ended = Promise.withResolvers<void>();
  const end = () => ended.resolve();
  const client = openPostgres({
    server,
    connections: 1,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: 0,
    applicationName: "mc-proxy fleet listener",
    onClose: end,
    onNotify: (payload) => onRevision(/^\d{1,15}$/.test(payload) ? Number(payload) : undefined),
  });
  const timer = setTimeout(end, CONNECT_TIMEOUT_MS);
  signal.addEventListener("abort", end);
  try {
    const listening = client.sql.unsafe(`LISTEN ${name}`).then(() => {
      clearTimeout(timer);
      onListening();
      onProblem(undefined);
      onRevision();
      return ended.promise;
    });
    await Promise.race([listening, ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    await client.destroy();
  }
}
