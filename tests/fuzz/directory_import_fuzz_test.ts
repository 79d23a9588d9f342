import assert from "node:assert/strict";
import { importDirectory } from "../../lib/connector/mod.ts";
import { fuzzTest } from "../support/fuzz.ts";

const ROUNDS = 3_000;

const TOML = `[[users]]
user_id = "alice"
org_id = "acme"
[[teams]]
team_id = "ops"
org_id = "acme"
user_ids = ["alice"]
[[hosts]]
connect_id = "host-1"
internal_ip_addr = "10.0.0.5:22"
org_id = "acme"
team_ids = ["ops"]
`;
const CSV = `kind,id,org_id,internal_ip_addr,user_ids
user,"alice",acme,,
host,"host-1",acme,10.0.0.5,alice;alice
`;
const PIECES = [
  "[",
  "]",
  "[[",
  "]]",
  '"',
  '""',
  "'''",
  "=",
  ",",
  ";",
  "\n",
  "\r\n",
  "#",
  "{",
  "\0",
  "\ud800",
  "kind",
];

fuzzTest("importDirectory() never throws and names a line of any text it refuses", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const format = random.pick(["toml", "csv"] as const);
    let text = format === "toml" ? TOML : CSV;
    for (let i = random.below(4); i >= 0; i--) {
      const at = random.below(text.length + 1);
      text = text.slice(0, at) + random.pick(PIECES) + text.slice(at + random.below(6));
    }
    const result = importDirectory(text, format);
    if (result.ok) continue;
    const lines = text.split("\n").length;
    assert.ok(result.problems.length > 0);
    for (const { line } of result.problems) {
      assert.ok(line >= 1 && line <= lines, `line ${line} of ${JSON.stringify(text)}`);
    }
  }
});
