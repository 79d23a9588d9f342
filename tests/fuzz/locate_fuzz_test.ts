import assert from "node:assert/strict";
import { parse, stringify, TomlDate } from "smol-toml";
import { locateKeys } from "../../lib/schema/locate.ts";
import { fuzzTest, type Random } from "../support/fuzz.ts";
import { pathsOf } from "../support/toml_paths.ts";

const KEYS = ["a", "b-1", "c_d", "x.y", "", "ü", 'q"', "\\", "#", "]", "=", "'", "\t"];
const TEXTS = ["", "x", "# no", "a = 1", '"', "'", "\\", "[x]\n", '"""', "'''", "}\n,", "é😀"];

function randomValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 3 ? 4 : 7)) {
    case 0:
      return random.below(1000) - 500;
    case 1:
      return random.below(2) === 0;
    case 2:
      return random.pick(TEXTS);
    case 3:
      return new TomlDate("1979-05-27T07:32:00Z");
    case 4:
      return Array.from({ length: random.below(4) }, () => randomValue(random, depth + 1));
    case 5:
      return Array.from({ length: random.below(4) }, () => randomTable(random, depth + 1));
    default:
      return randomTable(random, depth + 1);
  }
}

function randomTable(random: Random, depth: number): Record<string, unknown> {
  const names = Array.from({ length: random.below(5) }, () => random.pick(KEYS));
  return Object.fromEntries(names.map((name) => [name, randomValue(random, depth)]));
}

/** Re-writes a document without changing what it says: comments, blanks, other line ends. */
function disturb(toml: string, random: Random): string {
  const lines = toml.split("\n").map((line) => {
    if (random.below(4) === 0) line = `${" ".repeat(random.below(4))}${line}`;
    return random.below(4) === 0 ? `${line} # ] } = "` : line;
  });
  return lines.join(random.pick(["\n", "\r\n"]));
}

fuzzTest("locateKeys() finds exactly the parser's paths in random documents", (random) => {
  for (let round = 0; round < 2_000; round++) {
    const toml = disturb(stringify(randomTable(random, 0)), random);
    assert.deepEqual([...locateKeys(toml).keys()].sort(), pathsOf(parse(toml)).sort(), toml);
  }
});
