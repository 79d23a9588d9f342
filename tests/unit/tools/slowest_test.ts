import assert from "node:assert/strict";
import { listSlowest, readReport } from "../../../tools/slowest.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="3" failures="1" errors="0" time="2.279">
    <testsuite name="./tests/a_test.ts" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="a &lt; b &amp;&amp; &quot;c&quot;" classname="./tests/a_test.ts" time="0.125" line="41" col="6">
        </testcase>
        <testcase name="fails" classname="./tests/a_test.ts" time="12.5" line="52" col="6">
            <failure message="x">time="99.0"</failure>
        </testcase>
    </testsuite>
    <testsuite name="./tests/b_test.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="quick" classname="./tests/b_test.ts" time="0.000" line="1" col="1">
        </testcase>
    </testsuite>
</testsuites>
`;

Deno.test("readReport() finds each test with its file and its time", () => {
  assert.deepEqual(readReport(REPORT), [
    { file: "./tests/a_test.ts", name: 'a < b && "c"', seconds: 0.125 },
    { file: "./tests/a_test.ts", name: "fails", seconds: 12.5 },
    { file: "./tests/b_test.ts", name: "quick", seconds: 0 },
  ]);
});

Deno.test("listSlowest() lists so many, the slowest first", () => {
  assert.deepEqual(listSlowest(readReport(REPORT), 2), [
    "  12.5 s  ./tests/a_test.ts: fails",
    '   0.1 s  ./tests/a_test.ts: a < b && "c"',
  ]);
});
