/**
 * Fuzzing that keeps what it finds. A target is a parser with what must hold for any octets at all;
 * its corpus is the folder of its name in `tests/testdata/corpus`, small inputs named by what they
 * exercise. Every input of a corpus is replayed with the tests and is what random ones are made of; an
 * input that fails is made as short as it can be and is written there.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRandom, givenSeed, mutate, type Random } from "./fuzz.ts";

/** Where all corpora are. */
const CORPORA = fileURLToPath(new URL("../testdata/corpus", import.meta.url));

/** Making a failing input shorter ends after so many runs of it, and after so many milliseconds. */
const MAX_TRIALS = 5_000;
const MAX_SHORTENING_MS = 5_000;

/** Of an input of a corpus so many beginnings are replayed, too. */
const REPLAYED_BEGINNINGS = 64;

/** A parser, and what must hold of it. */
export interface FuzzTarget {
  /** Also of the folder of its corpus. */
  readonly name: string;
  /**
   * Throws if something does not hold for these octets. What it draws depends on the octets alone, so
   * an input fails always or never.
   */
  readonly check: (bytes: Uint8Array, random: Random) => void | Promise<void>;
  /** An input of the right structure, for what mutation of a corpus does not reach. */
  readonly make?: (random: Random) => Uint8Array;
  /** How many random inputs are tried with the tests. */
  readonly rounds: number;
}

/** One input of a corpus. */
export interface CorpusEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** An input that fails, as short as it was made, and where it is kept. */
export interface Finding {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly error: Error;
}

/** A target does not hold; the message says where the input is kept. */
export class FuzzError extends Error {
  override readonly name = "FuzzError";
  readonly code = "FUZZ";
}

/** The inputs that are kept for a target, by name. */
export function corpusOf(name: string, root: string = CORPORA): CorpusEntry[] {
  const folder = join(root, name);
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort()
    .map((file) => ({ name: file, bytes: Deno.readFileSync(join(folder, file)) }));
}

/** What does not hold for these octets; nothing if all does. */
export async function failureOf(
  target: FuzzTarget,
  bytes: Uint8Array,
): Promise<Error | undefined> {
  try {
    await target.check(bytes, createRandom(seedOf(bytes)));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** When fuzzing ends, and what it begins with. */
export interface FuzzOptions {
  readonly random: Random;
  /** Asked before each input, with how many have been tried. */
  readonly goesOn: (tried: number) => boolean;
  /** Where the corpora are; default: those of the tests. */
  readonly root?: string;
}

/** Tries random inputs until one fails, which is then kept, or it is to end. */
export async function fuzz(
  target: FuzzTarget,
  { random, goesOn, root = CORPORA }: FuzzOptions,
): Promise<{ readonly tried: number; readonly finding?: Finding }> {
  const corpus = corpusOf(target.name, root).map(({ bytes }) => bytes);
  let tried = 0;
  for (; goesOn(tried); tried++) {
    const bytes = nextInput(target, corpus, random);
    if (await failureOf(target, bytes) === undefined) continue;
    return { tried: tried + 1, finding: await keep(target, bytes, root) };
  }
  return { tried };
}

/** Registers the tests of a target: its corpus, and random inputs. */
export function testTarget(target: FuzzTarget): void {
  Deno.test(`${target.name} holds for every input of its corpus, and each of its beginnings`, async () => {
    const corpus = corpusOf(target.name);
    assert.notEqual(corpus.length, 0);
    for (const { name, bytes } of corpus) {
      await expectToHold(target, bytes, name);
      for (let length = 0; length < Math.min(bytes.length, REPLAYED_BEGINNINGS); length++) {
        await expectToHold(target, bytes.slice(0, length), `${name}, the first ${length} octets`);
      }
    }
  });

  const seed = givenSeed();
  Deno.test(`${target.name} holds for random inputs (seed ${seed})`, async () => {
    const random = createRandom(seed);
    const { finding } = await fuzz(target, { random, goesOn: (tried) => tried < target.rounds });
    if (finding !== undefined) complain(target, finding);
  });
}

async function expectToHold(target: FuzzTarget, bytes: Uint8Array, what: string): Promise<void> {
  const failure = await failureOf(target, bytes);
  if (failure === undefined) return;
  throw new FuzzError(`${target.name}/${what}: ${failure.message}`, { cause: failure });
}

/** Says of a finding all that is needed to go on from it. */
function complain(target: FuzzTarget, { path, bytes, error }: Finding): never {
  const hex = bytes.length > 200 ? `${bytes.subarray(0, 200).toHex()}…` : bytes.toHex();
  throw new FuzzError(
    `${target.name} does not hold for ${bytes.length} octets, kept as ${path} and replayed from ` +
      `now on: ${hex}: ${error.message}`,
    { cause: error },
  );
}

/** Something new: of the right structure, or of the corpus, mostly with damage. */
function nextInput(
  { make }: FuzzTarget,
  corpus: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  if (make !== undefined && random.below(3) > 0) {
    const made = make(random);
    return random.below(3) === 0 ? made : mutate(made, random);
  }
  const kept = random.pick(corpus);
  switch (random.below(4)) {
    case 0: {
      // The beginning of one and the end of another.
      const other = random.pick(corpus);
      const end = other.subarray(random.below(other.length + 1));
      return Uint8Array.from([...kept.subarray(0, random.below(kept.length + 1)), ...end]);
    }
    case 1:
      return mutate(mutate(kept, random), random);
    default:
      return mutate(kept, random);
  }
}

/** Shortens a failing input and writes it into the corpus. */
async function keep(target: FuzzTarget, bytes: Uint8Array, root: string): Promise<Finding> {
  const short = await shorten(target, bytes);
  const path = join(root, target.name, `found-${nameOf(short)}`);
  await Deno.writeFile(path, short);
  const error = await failureOf(target, short) ?? new Error("it fails now and then");
  return { path, bytes: short, error };
}

/**
 * The shortest input that still fails, as far as leaving out pieces leads there (delta debugging),
 * with every octet zero that may be.
 */
export async function shorten(target: FuzzTarget, bytes: Uint8Array): Promise<Uint8Array> {
  const end = performance.now() + MAX_SHORTENING_MS;
  let trials = 0;
  const fails = async (candidate: Uint8Array) =>
    trials++ < MAX_TRIALS && performance.now() < end &&
    await failureOf(target, candidate) !== undefined;
  let short = bytes;
  for (let size = Math.ceil(short.length / 2); size >= 1;) {
    let shorter = false;
    for (let at = 0; at < short.length;) {
      const candidate = Uint8Array.from([...short.subarray(0, at), ...short.subarray(at + size)]);
      if (await fails(candidate)) {
        short = candidate;
        shorter = true;
      } else at += size;
    }
    if (!shorter) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  for (const [at, octet] of short.entries()) {
    if (octet === 0) continue;
    const candidate = short.with(at, 0);
    if (await fails(candidate)) short = candidate;
  }
  return short;
}

/** A number that depends on all of the octets (FNV-1a). */
function seedOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of bytes) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}

function nameOf(bytes: Uint8Array): string {
  return seedOf(bytes).toString(16).padStart(8, "0");
}

/** The octets of an input cut into pieces of random lengths. */
export function cut(bytes: Uint8Array, random: Random): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.below(random.pick([1, 3, 10, 100, 1000]));
    chunks.push(bytes.slice(at, end));
    at = end;
  }
  return chunks;
}

/** The text of an input that a parser of files would be given. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The octets of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Changes a text in a few places: a word of the grammar comes in, a few characters go. */
export function disturb(text: string, words: readonly string[], random: Random): string {
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(text.length + 1);
    text = text.slice(0, at) + random.pick(words) + text.slice(at + random.below(6));
  }
  return text;
}
