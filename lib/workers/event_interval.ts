/** The runtime reads it when a worker's thread begins (`tokio_env` in its `tokio_util.rs`). */
const VARIABLE = "DENO_TOKIO_EVENT_INTERVAL";

/**
 * Makes the workers that are started from now on look for new input in every turn of their event
 * loops. The runtime looks only when a thread has nothing to do, or in every 61st turn: one client
 * that always has something more to read kept everybody else's input waiting for 61 turns, 120 ms at
 * 2 ms each. Looking costs a system call of a microsecond. No other way is told; where the variable
 * may not be set, the threads are as unfair as the runtime makes them.
 *
 * What was set before stays.
 */
export function lookForInputEveryTurn(): void {
  try {
    if (!Deno.env.get(VARIABLE)) Deno.env.set(VARIABLE, "1");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}
