/**
 * Test vectors: those of others, which are not part of the repository and are read from
 * `../shared/vectors` beside the checkout, and our own in `tests/testdata/vectors`, which an independent
 * generator made (see `make.py` there). A claim is checked against each of the two that has the file.
 *
 * @module
 */
const OTHERS = new URL("../../../shared/vectors/", import.meta.url);
const OURS = new URL("../testdata/vectors/", import.meta.url);

/** Where vectors are from: ours are fewer. */
export type Origin = "others" | "ours";

/** A test over every line of a JSON Lines file of others, and one over vectors of our own making. */
export function vectorTest<T>(
  file: string,
  claim: string,
  check: (vectors: T[], origin: Origin) => void,
  own?: () => T[],
): void {
  if (own !== undefined) Deno.test(`${claim} (our own for ${file})`, () => check(own(), "ours"));
  for (const { origin, url } of vectorUrls(file)) {
    Deno.test(`${claim} (vectors of ${origin}: ${file})`, () => {
      const lines = Deno.readTextFileSync(url).trimEnd().split("\n");
      check(lines.map((line) => JSON.parse(line) as T), origin);
    });
  }
}

/** Where a file or folder of vectors is: at others', at ours or at both; never nowhere at ours. */
export function vectorUrls(path: string): { readonly origin: Origin; readonly url: URL }[] {
  const all = [
    { origin: "others", url: new URL(path, OTHERS) } as const,
    {
      origin: "ours",
      url: new URL(path, OURS),
    } as const,
  ];
  return all.filter(({ url }) => exists(url));
}

/** The octets of a country database: MaxMind's test file, or one of ours that agrees where tests ask. */
export function countryDatabase(): Uint8Array {
  const [found] = vectorUrls("mmdb/test-data/GeoLite2-Country-Test.mmdb");
  if (found === undefined) throw new Error("the checkout has no tests/testdata/vectors");
  return Deno.readFileSync(found.url);
}

function exists(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch {
    return false;
  }
}
