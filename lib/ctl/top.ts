import { EXIT, UsageError } from "../terminal/mod.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { WatchStatusResponse } from "../client/mod.ts";
import type { Session } from "./session.ts";
import { renderTop, type Size } from "./top_view.ts";

/** Routes to ask for: more than a tall terminal shows. */
const ROUTES = 100;

// Control sequences of ECMA-48 and xterm.
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

const KEY_QUIT = "q".charCodeAt(0);
const KEY_CTRL_C = 3;

/**
 * `top`: a screen that renews itself until `q`, Ctrl-C, SIGTERM or the end of the proxy, and leaves
 * the terminal as it found it in each case.
 */
export async function showTop(
  session: Session,
  { interval }: { interval: number },
): Promise<number> {
  if (!Deno.stdout.isTerminal()) throw new UsageError("top needs a terminal; use status --json");
  const aborter = new AbortController();
  const stop = () => aborter.abort();
  const screen = new Screen();
  const signals: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  const redraw = () => screen.draw();
  Deno.addSignalListener("SIGWINCH", redraw);
  const keys = watchKeys(stop);
  try {
    const request = { interval: durationFromMs(interval), routes: ROUTES };
    for await (const look of session.client.watchStatus(request, { signal: aborter.signal })) {
      screen.show(look);
    }
    return EXIT.ok;
  } catch (error) {
    if (aborter.signal.aborted) return EXIT.ok;
    throw error;
  } finally {
    keys.stop();
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
    Deno.removeSignalListener("SIGWINCH", redraw);
    screen.leave();
  }
}

/** The terminal while `top` runs. */
class Screen {
  #now: WatchStatusResponse | undefined;
  #before: WatchStatusResponse | undefined;
  #entered = false;

  show(look: WatchStatusResponse): void {
    this.#before = this.#now;
    this.#now = look;
    this.draw();
  }

  draw(): void {
    if (this.#now === undefined) return;
    if (!this.#entered) write(ENTER);
    this.#entered = true;
    const size = sizeOf();
    const lines = renderTop({ now: this.#now, before: this.#before }, size);
    // No newline after the last line: it would scroll a screen that is full.
    write(HOME + lines.map((line) => line + CLEAR_LINE_END).join("\r\n") + CLEAR_BELOW);
  }

  leave(): void {
    if (this.#entered) write(LEAVE);
    this.#entered = false;
  }
}

function sizeOf(): Size {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || 80, rows: rows || 24 };
  } catch {
    return { columns: 80, rows: 24 };
  }
}

/** In raw mode Ctrl-C is a key like any other. */
function watchKeys(onQuit: () => void): { stop(): void } {
  if (!Deno.stdin.isTerminal()) return { stop: () => {} };
  Deno.stdin.setRaw(true);
  const reader = Deno.stdin.readable.getReader();
  const read = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      if (value.includes(KEY_QUIT) || value.includes(KEY_CTRL_C)) onQuit();
    }
  };
  read().catch(() => {}); // Cancelled below.
  return {
    stop: () => {
      Deno.stdin.setRaw(false);
      reader.cancel().catch(() => {}); // The program ends anyway.
    },
  };
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
