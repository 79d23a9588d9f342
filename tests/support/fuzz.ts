/**
 * Seeded random tests. The seed is part of the test's name, so every report shows it; run the same
 * again with `FUZZ_SEED=<seed>`.
 *
 * @module
 */

/** A source of numbers that one seed determines. */
export interface Random {
  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number;
  /** One of the elements. */
  pick<T>(from: readonly T[]): T;
  /** So many octets. */
  bytes(length: number): Uint8Array;
}

/** Registers a test whose body draws from one seeded source. */
export function fuzzTest(claim: string, body: (random: Random) => void): void {
  const seed = givenSeed();
  Deno.test(`${claim} (seed ${seed})`, () => body(createRandom(seed)));
}

/** The seed that is asked for, or a new one. */
export function givenSeed(): number {
  const given = Number(Deno.env.get("FUZZ_SEED") ?? NaN);
  return Number.isInteger(given) ? given : crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** The generator mulberry32: small, fast and good enough to choose test data. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
  return {
    below,
    pick: (from) => {
      if (from.length === 0) throw new RangeError("nothing to pick from");
      return from[below(from.length)] as typeof from[number];
    },
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
  };
}

/** A copy with a few octets changed, removed, doubled or inserted. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const octets = [...bytes];
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(octets.length + 1);
    switch (random.below(5)) {
      case 0:
        octets[Math.min(at, Math.max(0, octets.length - 1))] = random.below(256);
        break;
      case 1:
        octets[Math.min(at, Math.max(0, octets.length - 1))] = random.pick([0, 1, 0x7f, 0x80, 255]);
        break;
      case 2:
        octets.splice(at, 1 + random.below(8));
        break;
      case 3:
        octets.splice(at, 0, ...random.bytes(1 + random.below(8)));
        break;
      default:
        octets.splice(at, 0, ...octets.slice(at, at + 1 + random.below(40)));
    }
  }
  return Uint8Array.from(octets);
}
