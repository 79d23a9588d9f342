import assert from "node:assert/strict";
import { parse, stringify, TomlDate } from "smol-toml";
import { loadConfig } from "../../lib/config/mod.ts";
import { locateKeys } from "../../lib/schema/locate.ts";
import { fuzzTest, type Random } from "../support/fuzz.ts";
import { pathsOf } from "../support/toml_paths.ts";

const KEYS = ["a", "b-1", "c_d", "x.y", "", "ü", 'q"', "\\", "#", "]", "=", "'", "\t"];
const TEXTS = ["", "x", "# no", "a = 1", '"', "'", "\\", "[x]\n", '"""', "'''", "}\n,", "é😀"];
/** Tokens and fragments that make a document go wrong in interesting places. */
const FRAGMENTS = [
  "[",
  "]",
  "[[",
  "=",
  ".",
  '"',
  '"""',
  "'",
  "{",
  "}",
  ",",
  "#",
  "\n",
  "\r\n",
  "\\",
];

const CONFIG = `[database]
path = "/srv/a.db"
[[listeners]]
addr = ":443"
trusted_proxies = ["10.0.0.0/8"]
  [[listeners.routes]]
  hostname = "a.example"
  backend = "10.0.0.1:443"
[proxy]
idle_timeout = "5s"
`;

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

fuzzTest("loadConfig() never throws, and places every problem inside the file", (random) => {
  for (let round = 0; round < 2_000; round++) {
    const at = random.below(CONFIG.length + 1);
    const cut = random.below(3) === 0 ? random.below(10) : 0;
    const text = CONFIG.slice(0, at) + random.pick(FRAGMENTS) + CONFIG.slice(at + cut);
    const result = loadConfig(text);
    for (const { line, column } of result.ok ? result.warnings : result.problems) {
      const width = text.split("\n")[line - 1]?.length ?? -1;
      assert(column >= 1 && column <= width + 1, `${line}:${column} of ${JSON.stringify(text)}`);
    }
  }
});
