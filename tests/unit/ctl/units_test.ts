import assert from "node:assert/strict";
import { changeWords } from "../../../lib/ctl/observe.ts";
import { cut, plain, renderTable } from "../../../lib/terminal/table.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatExactDuration,
  parseDuration,
} from "../../../lib/terminal/units.ts";

Deno.test("parseDuration() reads one number with one unit and nothing else", () => {
  const cases = [["300ms", 300], ["5s", 5000], ["2m", 120_000], ["1h", 3_600_000], [
    "7d",
    604_800_000,
  ], ["2w", 1_209_600_000]] as const;
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms);
  for (const text of ["", "5", "s", "1h30m", "-1s", "1.5s", " 1s", "1y", "9999999999s"]) {
    assert.throws(() => parseDuration(text), { code: "usage" }, text);
  }
});

Deno.test("formatExactDuration() is what parseDuration() reads back", () => {
  for (const ms of [1, 999, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000]) {
    assert.equal(parseDuration(formatExactDuration(ms)), ms);
  }
});

Deno.test("sizes, counts and durations keep to a few characters", () => {
  assert.deepEqual(
    [0, 999, 1000, 9949, 9951, 99_949, 1e6, 2 ** 60].map(formatBytes),
    ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "100 kB", "1.0 MB", "1.2 EB"],
  );
  assert.deepEqual([0, 42, 1500, 12e6].map(formatCount), ["0", "42", "1.5k", "12M"]);
  assert.deepEqual(
    [0, 9900, 61_000, 3_700_000, 100_000_000].map(formatDuration),
    ["0.0s", "9.9s", "1m 1s", "1h 1m", "1d 3h"],
  );
});

Deno.test("renderTable() aligns columns and leaves no space at the end of lines", () => {
  const rows = [{ name: "a", count: 5 }, { name: "longer", count: 12345 }];
  const lines = renderTable(rows, [
    { title: "COUNT", value: ({ count }) => `${count}`, right: true },
    { title: "NAME", value: ({ name }) => name },
  ]);
  assert.deepEqual(lines, ["COUNT  NAME", "    5  a", "12345  longer"]);
});

Deno.test("plain() and cut() keep text of others from moving the cursor or the columns", () => {
  assert.equal(plain("a\x1b[2Jb\nc\u009bd"), "a [2Jb c d");
  assert.deepEqual([cut("abcdef", 4), cut("abc", 4), cut("ab", 0)], ["abc…", "abc", ""]);
});

Deno.test("changeWords() names what was added, removed and changed", () => {
  assert.equal(changeWords("", '{"a":"x","b":"","c":false,"d":[]}'), "+a=x");
  assert.equal(changeWords('{"a":1}', ""), "-a=1");
  assert.equal(changeWords('{"a":"x","b":1}', '{"a":"y","b":1}'), "a: x → y");
});
