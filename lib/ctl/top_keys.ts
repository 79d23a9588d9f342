import { FIRST_CHOICE, type TopChoice } from "./top_choice.ts";
import { nextRouteOrder } from "./top_rates.ts";

/** As long as a name that somebody types. */
const MAX_FILTER = 64;

const CTRL_C = 3;
const BACKSPACES: ReadonlySet<number> = new Set([8, 127]);
const ENTER = 13;
const ESCAPE = 27;

const CLIENT_KEYS: Readonly<Record<string, TopChoice["clientsBy"]>> = {
  c: "connections",
  r: "refused",
  b: "bytes",
};

/** What the keys of `top` choose. Pure but for its calls. */
export class Keys {
  readonly #onQuit: () => void;
  readonly #onChoice: (choice: TopChoice) => void;
  #choice = FIRST_CHOICE;

  constructor(calls: { onQuit: () => void; onChoice: (choice: TopChoice) => void }) {
    this.#onQuit = calls.onQuit;
    this.#onChoice = calls.onChoice;
  }

  /** Takes what the terminal has read. */
  press(octets: Uint8Array): void {
    // Arrows and the like begin with ESC and go on: they choose nothing.
    if (octets[0] === ESCAPE && octets.length > 1) return;
    for (const octet of octets) {
      if (octet === CTRL_C) return this.#onQuit();
      if (this.#choice.isTyping) this.#type(octet);
      else if (!this.#command(String.fromCharCode(octet))) return;
    }
  }

  /** Whether to go on. */
  #command(key: string): boolean {
    const clientsBy = CLIENT_KEYS[key];
    if (key === "q") {
      this.#onQuit();
      return false;
    }
    if (clientsBy !== undefined) this.#choose({ clientsBy });
    else if (key === "s") this.#choose({ routesBy: nextRouteOrder(this.#choice.routesBy) });
    else if (key === "/") this.#choose({ isTyping: true, filter: "" });
    return true;
  }

  #type(octet: number): void {
    const { filter } = this.#choice;
    if (octet === ENTER) this.#choose({ isTyping: false });
    else if (octet === ESCAPE) this.#choose({ isTyping: false, filter: "" });
    else if (BACKSPACES.has(octet)) this.#choose({ filter: filter.slice(0, -1) });
    else if (octet > 32 && octet < 127 && filter.length < MAX_FILTER) {
      this.#choose({ filter: filter + String.fromCharCode(octet) });
    }
  }

  #choose(changed: Partial<TopChoice>): void {
    this.#choice = { ...this.#choice, ...changed };
    this.#onChoice(this.#choice);
  }
}
