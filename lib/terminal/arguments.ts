/**
 * How arguments and values of flags are read; Commander names them in front of what is wrong.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { parseDuration } from "./units.ts";

/** @throws {InvalidArgumentError} */
export function parseInteger(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

/** Reads with a parser of ours. */
export function asArgument<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** Milliseconds. */
export function duration(text: string): number {
  return asArgument(() => parseDuration(text));
}

/** A revision, or an id of the database. */
export function bigint(text: string): bigint {
  if (/^[0-9]{1,18}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("Not a whole number.");
}
