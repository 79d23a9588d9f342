import { listenToChannel, type PostgresServer } from "../postgres/mod.ts";

const MAX_PAUSE_MS = 5_000;
/** What is announced beside revisions; programs that do not know it look for a revision, and find none. */
const ATTENTION = "bulletin";
const ORDERS = "orders";

/** Settings of {@link listenToGroup}. */
export interface GroupListenOptions {
  readonly server: PostgresServer;
  /** The group's; read anew before each connection, for the group may have been made anew. */
  readonly channel: () => Promise<string>;
  /** Called with a revision that there is, or with nothing when one may have been missed. */
  readonly onRevision: (revision?: number) => void;
  /** Called when another proxy has something to tell that is not to wait. */
  readonly onAttention?: () => void;
  /** Called when whose turn it is to order may have changed, or what proves a name. */
  readonly onOrders?: () => void;
  /** Told why nothing is heard, and with nothing when it is again. */
  readonly onProblem: (error: unknown) => void;
}

/**
 * Listens for revisions. A hint and no more: whoever is told reads the log, and looks there now and
 * then untold.
 */
export function listenToGroup(
  { server, channel, onRevision, onProblem, ...options }: GroupListenOptions,
): AsyncDisposable {
  return listenToChannel({
    ...{ server, channel },
    applicationName: "mc-proxy fleet listener",
    maxPauseMs: MAX_PAUSE_MS,
    onNotify: (payload = "") => {
      if (payload === ATTENTION) return options.onAttention?.();
      if (payload === ORDERS) return options.onOrders?.();
      onRevision(/^\d{1,15}$/.test(payload) ? Number(payload) : undefined);
    },
    onState: (state, error) =>
      onProblem(state === "listening" ? undefined : error ?? new Error("the connection has ended")),
  });
}
