/**
 * Test vectors by others. They are not part of the repository: tests read them from
 * `../shared/vectors` beside the checkout and are reported as ignored where it is missing.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { buildCountryMmdb } from "./mmdb.ts";

const FOLDER = new URL("../../../shared/vectors/", import.meta.url);

/**
 * A test over every line of a JSON Lines file. Without the file it runs over vectors of `own` making, or
 * is ignored, with the file in its name, if there are none.
 */
export function vectorTest<T>(
  file: string,
  claim: string,
  check: (vectors: T[]) => void,
  own?: () => T[],
): void {
  const url = new URL(file, FOLDER);
  if (own !== undefined && !exists(url)) {
    Deno.test(`${claim} (our own for ${file})`, () => check(own()));
    return;
  }
  Deno.test({
    name: `${claim} (vectors ${file})`,
    ignore: !exists(url),
    fn: () => {
      const lines = Deno.readTextFileSync(url).trimEnd().split("\n");
      check(lines.map((line) => JSON.parse(line) as T));
    },
  });
}

/** The path of a file that is not JSON Lines; nothing without it. */
export function vectorPath(file: string): string | undefined {
  const url = new URL(file, FOLDER);
  return exists(url) ? fileURLToPath(url) : undefined;
}

/**
 * The octets of a country database: MaxMind's test file, or without it one of our own making, in which
 * the addresses that tests ask for are where they are in the other.
 */
export function countryDatabase(): Uint8Array {
  const path = vectorPath("mmdb/test-data/GeoLite2-Country-Test.mmdb");
  if (path !== undefined) return Deno.readFileSync(path);
  return buildCountryMmdb({
    "2.125.160.216/29": "GB",
    "81.2.69.142/31": "GB",
    "89.160.20.112/28": "SE",
    "216.160.83.56/29": "US",
    "2001:218::/32": "JP",
  });
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}
