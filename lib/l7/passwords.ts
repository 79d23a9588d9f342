import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { parsePasswordHash } from "../state/mod.ts";

/** Hashes made at one time in one worker: each takes a core and 32 MiB. */
const MAX_RUNNING = 2;
/** Those that wait for their turn; whoever comes after them is told to come again. */
const MAX_WAITING = 128;
/** Passwords that were right, remembered so long. */
const REMEMBERED = 1024;
const REMEMBERED_MS = 300_000;

/** Whether a password is right; `busy`: too many are being looked at. */
export type Verdict = "right" | "wrong" | "busy";

/**
 * Compares passwords with their hashes, off the thread's event loop. What was right is remembered
 * for some minutes, as a keyed digest of hash and password: a hash that is changed or removed counts
 * at once, and memory holds no password.
 */
export class Passwords {
  readonly #key = randomBytes(32);
  readonly #now: () => number;
  /** Until when each is believed; the oldest first. */
  readonly #right = new Map<string, number>();
  /** The same question asked many times at once is one. */
  readonly #asked = new Map<string, Promise<Verdict>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a password was right a short while ago. */
  remembers(hash: string, password: string): boolean {
    const until = this.#right.get(this.#digest(hash, password));
    return until !== undefined && until > this.#now();
  }

  /** Compares; `isDecoy`: for the time it takes, whatever comes of it. */
  verify(hash: string, password: string, { isDecoy = false } = {}): Promise<Verdict> {
    const digest = this.#digest(hash, `${password}\0${isDecoy ? "decoy" : ""}`);
    let asked = this.#asked.get(digest);
    if (asked === undefined) {
      asked = this.#inTurn(() => matches(hash, password)).finally(() => this.#asked.delete(digest));
      this.#asked.set(digest, asked);
    }
    if (isDecoy) return asked.then((verdict) => verdict === "busy" ? "busy" : "wrong");
    return asked.then((verdict) => {
      if (verdict === "right") this.#remember(this.#digest(hash, password));
      return verdict;
    });
  }

  async #inTurn(compare: () => Promise<boolean>): Promise<Verdict> {
    if (this.#running >= MAX_RUNNING) {
      if (this.#waiting.length >= MAX_WAITING) return "busy";
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await compare() ? "right" : "wrong";
    } finally {
      // Its place goes to the next one.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #remember(digest: string): void {
    this.#right.delete(digest);
    this.#right.set(digest, this.#now() + REMEMBERED_MS);
    const [oldest] = this.#right.keys();
    if (this.#right.size > REMEMBERED && oldest !== undefined) this.#right.delete(oldest);
  }

  #digest(hash: string, password: string): string {
    return createHmac("sha256", this.#key).update(hash).update("\0").update(password)
      .digest("base64");
  }
}

function matches(text: string, password: string): Promise<boolean> {
  const parsed = parsePasswordHash(text);
  if (parsed === undefined) return Promise.resolve(false);
  const { cost, blockSize, parallelization, salt, hash } = parsed;
  const options = {
    cost,
    blockSize,
    parallelization,
    maxmem: 256 * cost * blockSize * parallelization,
  };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hash.length, options, (error, found) => {
      if (error !== null) reject(error);
      else resolve(timingSafeEqual(found, hash));
    });
  });
}
