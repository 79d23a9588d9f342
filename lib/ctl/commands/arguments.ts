/**
 * What several commands take: how their help names it, and how it is read.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { asArgument, parseDuration } from "../../terminal/mod.ts";

export const ADDR = "address of a listener, such as :443";
export const HOSTNAME = "hostname of a route, such as www.example.net or *.example.net";
export const CLOSE = "close the connections that took it; without this they go on";

/** Lists that would be long end here, unless `--limit` says otherwise. */
export const DEFAULT_LIMIT = 100;

/** Milliseconds. */
export function duration(text: string): number {
  return asArgument(() => parseDuration(text));
}

/** A revision, or an id of the database. */
export function bigint(text: string): bigint {
  if (/^[0-9]{1,18}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("Not a whole number.");
}
