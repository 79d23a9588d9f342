import { EXIT, UsageError } from "../terminal/mod.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { WatchStatusResponse } from "../client/mod.ts";
import type { Session } from "./session.ts";
import { Keys } from "./top_keys.ts";
import { FIRST_CHOICE, type TopChoice } from "./top_choice.ts";
import { renderTop, type Size } from "./top_view.ts";

/** Routes and clients to ask for: more than a tall terminal shows. */
const ROUTES = 100;
const CLIENTS = 100;

// Control sequences of ECMA-48 and xterm.
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

// Select Graphic Rendition.
const BOLD = "\x1b[1m";
const DIM = "\x1b[2m";
const RED = "\x1b[31;1m";
const PLAIN = "\x1b[m";

/** A proxy that restarts is back within seconds. */
const RETRY_MS = 500;

/**
 * `top`: a screen that renews itself until `q`, Ctrl-C or SIGTERM, over restarts of the proxy, and
 * leaves the terminal as it found it in each case. A proxy that cannot be reached at first is an
 * error.
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
  const keys = new Keys({ onQuit: stop, onChoice: (choice) => screen.choose(choice) });
  const watchTerminal = watchKeys((octets) => keys.press(octets));
  try {
    await watchProxy(session, { interval, screen, signal: aborter.signal });
    return EXIT.ok;
  } finally {
    watchTerminal.stop();
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
    Deno.removeSignalListener("SIGWINCH", redraw);
    screen.leave();
  }
}

/** Shows one look after the other; one that fails after the first is tried again. */
async function watchProxy(
  session: Session,
  { interval, screen, signal }: {
    readonly interval: number;
    readonly screen: Screen;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  while (!signal.aborted) {
    const changed = screen.untilOtherClients();
    const request = {
      interval: durationFromMs(interval),
      routes: ROUTES,
      clients: CLIENTS,
      clientsBy: screen.choice.clientsBy,
    };
    const call = { signal: AbortSignal.any([signal, changed]) };
    try {
      for await (const look of session.client.watchStatus(request, call)) screen.show(look);
    } catch (error) {
      if (!call.signal.aborted && !screen.hasShown) throw error;
    }
    if (signal.aborted) return;
    if (changed.aborted) continue;
    screen.lose();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** The terminal while `top` runs. */
class Screen {
  #now: WatchStatusResponse | undefined;
  #before: WatchStatusResponse | undefined;
  #entered = false;
  #isLost = false;
  #choice = FIRST_CHOICE;
  #otherClients = new AbortController();

  get choice(): TopChoice {
    return this.#choice;
  }

  get hasShown(): boolean {
    return this.#now !== undefined;
  }

  show(look: WatchStatusResponse): void {
    // Counters of another process begin at zero.
    this.#before = this.#isLost ? undefined : this.#now;
    this.#isLost = false;
    this.#now = look;
    this.draw();
  }

  /** Nobody answers: what was known stays on the screen, and says that it is old. */
  lose(): void {
    this.#isLost = true;
    this.draw();
  }

  choose(choice: TopChoice): void {
    const isOther = choice.clientsBy !== this.#choice.clientsBy;
    this.#choice = choice;
    if (isOther) this.#otherClients.abort();
    this.draw();
  }

  /** Aborted when other clients are wanted. */
  untilOtherClients(): AbortSignal {
    this.#otherClients = new AbortController();
    return this.#otherClients.signal;
  }

  draw(): void {
    if (this.#now === undefined) return;
    if (!this.#entered) write(ENTER);
    this.#entered = true;
    const view = { now: this.#now, before: this.#before };
    const note = this.#isLost ? "the proxy does not answer, trying again …  q quit" : undefined;
    const lines = renderTop(view, sizeOf(), { choice: this.#choice, ...note && { note } });
    const painted = lines.map((line, i) => paint(line, i === lines.length - 1));
    // No newline after the last line: it would scroll a screen that is full.
    write(HOME + painted.map((line) => line + CLEAR_LINE_END).join("\r\n") + CLEAR_BELOW);
  }

  leave(): void {
    if (this.#entered) write(LEAVE);
    this.#entered = false;
  }
}

/** Colour where there is a terminal that wants it (NO_COLOR). */
function paint(line: string, isLast: boolean): string {
  if (Deno.noColor) return line;
  if (/NOT HEALTHY|^the proxy does not answer/.test(line)) return RED + line + PLAIN;
  if (/^(LISTENER|ROUTE|CLIENT|BLOCKED BY) /.test(line)) return BOLD + line + PLAIN;
  return isLast ? DIM + line + PLAIN : line;
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
function watchKeys(onKeys: (octets: Uint8Array) => void): { stop(): void } {
  if (!Deno.stdin.isTerminal()) return { stop: () => {} };
  Deno.stdin.setRaw(true);
  const reader = Deno.stdin.readable.getReader();
  const read = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      onKeys(value);
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
