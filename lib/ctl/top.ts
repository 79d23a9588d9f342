import { EXIT, Screen, UsageError, withScreen } from "../terminal/mod.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { WatchStatusResponse } from "../client/mod.ts";
import type { Session } from "./session.ts";
import { Keys } from "./top_keys.ts";
import { FIRST_CHOICE, type TopChoice } from "./top_choice.ts";
import { renderTop } from "./top_view.ts";

/** Routes and clients to ask for: more than a tall terminal shows. */
const ROUTES = 100;
const CLIENTS = 100;

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
  const view = new View();
  let quit = () => {};
  const keys = new Keys({ onQuit: () => quit(), onChoice: (choice) => view.choose(choice) });
  const options = {
    screen: view.screen,
    redraw: () => view.draw(),
    onKeys: (octets: Uint8Array, stop: () => void) => {
      quit = stop;
      keys.press(octets);
    },
  };
  return await withScreen(options, async (signal) => {
    await watchProxy(session, { interval, screen: view, signal });
    return EXIT.ok;
  });
}

/** Shows one look after the other; one that fails after the first is tried again. */
async function watchProxy(
  session: Session,
  { interval, screen, signal }: {
    readonly interval: number;
    readonly screen: View;
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

/** What is shown while `top` runs. */
class View {
  readonly screen = new Screen();
  #now: WatchStatusResponse | undefined;
  #before: WatchStatusResponse | undefined;
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
    const view = { now: this.#now, before: this.#before };
    const note = this.#isLost ? "the proxy does not answer, trying again …  q quit" : undefined;
    const lines = renderTop(view, this.screen.size, { choice: this.#choice, ...note && { note } });
    this.screen.draw(lines.map((line, i) => paint(line, i === lines.length - 1)));
  }
}

/** Colour where there is a terminal that wants it (NO_COLOR). */
function paint(line: string, isLast: boolean): string {
  if (Deno.noColor) return line;
  if (/NOT HEALTHY|^the proxy does not answer/.test(line)) return RED + line + PLAIN;
  if (/^(LISTENER|ROUTE|CLIENT|BLOCKED BY) /.test(line)) return BOLD + line + PLAIN;
  return isLast ? DIM + line + PLAIN : line;
}
