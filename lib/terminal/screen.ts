// Control sequences of ECMA-48 and xterm.
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The size of a terminal in characters. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The terminal while a program draws on all of it, over what was there, which comes back. */
export class Screen {
  #entered = false;

  /** What fits on it. */
  get size(): Size {
    try {
      const { columns, rows } = Deno.consoleSize();
      return { columns: columns || 80, rows: rows || 24 };
    } catch {
      return { columns: 80, rows: 24 };
    }
  }

  /** Shows these lines and nothing else. */
  draw(lines: readonly string[]): void {
    if (!this.#entered) write(ENTER);
    this.#entered = true;
    // No newline after the last line: it would scroll a screen that is full.
    write(HOME + lines.map((line) => line + CLEAR_LINE_END).join("\r\n") + CLEAR_BELOW);
  }

  leave(): void {
    if (this.#entered) write(LEAVE);
    this.#entered = false;
  }
}

/**
 * Lets `body` draw until it ends or is told to, by Ctrl-C or SIGTERM, and leaves the terminal as it was in
 * each case.
 */
export async function withScreen<T>(
  { screen, redraw, onKeys }: {
    readonly screen: Screen;
    /** The terminal has another size. */
    readonly redraw: () => void;
    /** What the terminal has read, Ctrl-C included. */
    readonly onKeys: (octets: Uint8Array, stop: () => void) => void;
  },
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const aborter = new AbortController();
  const stop = () => aborter.abort();
  const signals: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  Deno.addSignalListener("SIGWINCH", redraw);
  const keys = watchKeys((octets) => onKeys(octets, stop));
  try {
    return await body(aborter.signal);
  } finally {
    keys.stop();
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
    Deno.removeSignalListener("SIGWINCH", redraw);
    screen.leave();
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
