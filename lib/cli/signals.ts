/** What the server does on each signal. */
export interface SignalHandlers {
  /** SIGTERM, SIGINT: the first one. */
  readonly onStop: (signal: Deno.Signal) => void;
  /** SIGTERM, SIGINT: the second one. */
  readonly onStopAgain: (signal: Deno.Signal) => void;
  /** SIGHUP. */
  readonly onReload: () => void;
}

/** Listens for signals until disposed. */
export function handleSignals(handlers: SignalHandlers): Disposable {
  let stopping = false;
  const stop = (signal: Deno.Signal) => () => {
    const handle = stopping ? handlers.onStopAgain : handlers.onStop;
    stopping = true;
    handle(signal);
  };
  const listeners: [Deno.Signal, () => void][] = [
    ["SIGTERM", stop("SIGTERM")],
    ["SIGINT", stop("SIGINT")],
    ["SIGHUP", handlers.onReload],
  ];
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
