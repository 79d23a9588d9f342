/** Twice a second: a stall that matters is longer, and the probe itself costs nothing. */
const PROBE_MS = 500;

/**
 * Measures how late timers fire in this thread, which is how long everything else waits for its
 * turn.
 *
 * @param onLag Called with each measurement, in seconds.
 */
export function startLagProbe(onLag: (seconds: number) => void): Disposable {
  let timer: ReturnType<typeof setTimeout>;
  const arm = () => {
    const due = performance.now() + PROBE_MS;
    timer = setTimeout(() => {
      onLag(Math.max(0, performance.now() - due) / 1000);
      arm();
    }, PROBE_MS);
  };
  arm();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
