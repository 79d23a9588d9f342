import { hashText, rendezvous, SHORT_KEY_LENGTH } from "../balance/mod.ts";

/** So many proxies of a group check each backend: one that is sick, or cut off, is one voice of two. */
export const CHECKERS = 2;
/** Results that one proxy tells: 16 KiB. Beyond them everybody checks for himself. */
export const MAX_TOLD = 2_048;

/** What one proxy has found by checks of its own: keys of backends, one after the other. */
export interface ToldChecks {
  readonly passing: string;
  readonly failing: string;
}

/** How many other proxies have found a backend so, by checks of their own. */
export interface Verdict {
  readonly passing: number;
  readonly failing: number;
}

const NOBODY: Verdict = { passing: 0, failing: 0 };

/**
 * Which backends this proxy checks for its group, and what the others have found of the rest. Each
 * backend is checked by the {@link CHECKERS} proxies that rank it first, which all of them know.
 */
export class SharedChecks {
  readonly #own: string;
  /** Hashes of those that share, without this one. */
  #others: readonly number[] = [];
  #told: ReadonlyMap<string, ToldChecks> = new Map();
  #verdicts: ReadonlyMap<string, Verdict> = new Map();

  /** @param own The name of this proxy. */
  constructor(own: string) {
    this.#own = own;
  }

  /** The other proxies that are there and share; whether that is otherwise than before. */
  hear(told: ReadonlyMap<string, ToldChecks>): boolean {
    const isSame = told.size === this.#told.size &&
      told.entries().every(([proxy, checks]) => isSameChecks(checks, this.#told.get(proxy)));
    if (isSame) return false;
    this.#told = told;
    this.#others = [...told.keys()].map(hashText);
    const verdicts = new Map<string, Verdict>();
    for (const { passing, failing } of told.values()) {
      for (const key of keysOf(passing)) {
        const before = verdicts.get(key) ?? NOBODY;
        verdicts.set(key, { ...before, passing: before.passing + 1 });
      }
      for (const key of keysOf(failing)) {
        const before = verdicts.get(key) ?? NOBODY;
        verdicts.set(key, { ...before, failing: before.failing + 1 });
      }
    }
    this.#verdicts = verdicts;
    return true;
  }

  /** Whether this proxy is one of those that check a backend. */
  isOurs(key: string): boolean {
    const client = hashText(key);
    const own = rendezvous(client, hashText(this.#own), 1);
    let ahead = 0;
    for (const other of this.#others) {
      if (rendezvous(client, other, 1) > own && ++ahead >= CHECKERS) return false;
    }
    return true;
  }

  /** What others have found. */
  verdict(key: string): Verdict {
    return this.#verdicts.get(key) ?? NOBODY;
  }
}

/** As a proxy tells it. */
export function packKeys(keys: readonly string[]): string {
  return keys.slice(0, MAX_TOLD).join("");
}

function* keysOf(packed: string): Generator<string> {
  const end = Math.min(packed.length, MAX_TOLD * SHORT_KEY_LENGTH);
  for (let i = 0; i + SHORT_KEY_LENGTH <= end; i += SHORT_KEY_LENGTH) {
    yield packed.slice(i, i + SHORT_KEY_LENGTH);
  }
}

function isSameChecks(a: ToldChecks, b: ToldChecks | undefined): boolean {
  return a === b || (a.passing === b?.passing && a.failing === b.failing);
}
