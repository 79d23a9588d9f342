import assert from "node:assert/strict";
import { outOfPlace } from "../../../lib/control/out_of_place.ts";

Deno.test("outOfPlace() leaves what both begin with, and what is added comes last", () => {
  const cases: [there: string, wanted: string, moved: string][] = [
    ["", "", ""],
    ["abc", "abc", ""],
    ["abc", "abcd", ""],
    ["abc", "ac", ""],
    ["abc", "acb", "bc"],
    ["ab", "ba", "ab"],
    ["ab", "axb", "b"],
    ["ab", "xab", "ab"],
    ["ab", "x", ""],
  ];
  for (const [there, wanted, moved] of cases) {
    const found = outOfPlace([...there], [...wanted]);
    assert.equal([...found].join(""), moved, `${there} to ${wanted}`);
    const stays = [...there].filter((it) => wanted.includes(it) && !found.has(it));
    const added = [...wanted].filter((it) => !stays.includes(it));
    assert.equal([...stays, ...added].join(""), wanted);
  }
});
