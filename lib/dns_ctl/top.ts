import { EXIT, Screen, UsageError, withScreen } from "../terminal/mod.ts";
import type { Session } from "./session.ts";
import { type Look, renderTop } from "./top_view.ts";

const CTRL_C = 3;
const Q = "q".charCodeAt(0);

/**
 * `top`: a screen that renews itself until `q`, Ctrl-C or SIGTERM, over restarts of the server, and leaves
 * the terminal as it found it in each case. A server that cannot be reached at first is an error.
 */
export async function showTop(
  session: Session,
  { interval }: { readonly interval: number },
): Promise<number> {
  if (!Deno.stdout.isTerminal()) throw new UsageError("top needs a terminal; use status --json");
  const screen = new Screen();
  let [now, before]: (Look | undefined)[] = [];
  let isLost = false;
  const redraw = () => {
    if (now === undefined) return;
    const note = isLost ? "the server does not answer, trying again …  q quit" : undefined;
    screen.draw(renderTop({ now, before }, screen.size, note));
  };
  const onKeys = (octets: Uint8Array, stop: () => void) => {
    if (octets.includes(Q) || octets.includes(CTRL_C)) stop();
  };
  return await withScreen({ screen, redraw, onKeys }, async (signal) => {
    while (!signal.aborted) {
      try {
        const status = await session.client.getStatus({});
        // Counters of another process begin at zero.
        before = isLost ? undefined : now;
        now = { status, at: performance.now() };
        isLost = false;
      } catch (error) {
        if (now === undefined) throw error;
        isLost = true;
      }
      redraw();
      await untilAborted(interval, signal);
    }
    return EXIT.ok;
  });
}

function untilAborted(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
