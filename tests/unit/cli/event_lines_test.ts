import assert from "node:assert/strict";
import {
  type Config,
  configure,
  getJsonLinesFormatter,
  getLogfmtFormatter,
  getLogger,
} from "@logtape/logtape";
import { createEventLines } from "../../../lib/cli/event_lines.ts";

/** What the log's own formatter makes of the same event, and at what time. */
async function byTheFormatter(
  format: "text" | "json",
  event: Record<string, unknown>,
): Promise<{ line: string; now: number }> {
  const written: { line: string; now: number }[] = [];
  const formatter = format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getLogfmtFormatter();
  const config: Config<"lines", string> = {
    reset: true,
    sinks: {
      lines: (record) =>
        void written.push({ line: String(formatter(record)), now: record.timestamp }),
    },
    loggers: [
      { category: ["mc-proxy"], lowestLevel: "info", sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
  };
  await configure(config);
  getLogger(["mc-proxy"]).info("connection", event);
  const [first] = written;
  assert.ok(first);
  return first;
}

const VALUES: readonly unknown[] = [
  "",
  "a.test",
  "*.a.test",
  "[2001:db8::1]:443",
  "/path?a=b&c=d",
  "two words",
  "no route for this name",
  "x=y",
  "it's; <a|b> {c} (d) #e %s $&",
  0,
  -1.5,
  1e21,
  2.3,
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)),
];

for (const format of ["text", "json"] as const) {
  Deno.test(`createEventLines() writes ${format} as the log's formatter does, or leaves it`, async () => {
    const lines = createEventLines(format);
    let left = 0;
    for (const value of VALUES) {
      const { line, now } = await byTheFormatter(format, { id: "1", value });
      const own = lines("connection", { id: "1", value }, now);
      if (own === undefined) left++;
      else assert.equal(own, line);
    }
    assert.equal(left, 2, "the quote and the backslash");
  });

  Deno.test(`createEventLines() leaves what ${format} has to escape to the log's formatter`, () => {
    const lines = createEventLines(format);
    const odd = ["\n", "\r", "\t", "\0", "\x1b[31m", "\x7f", "é", "\u2028", "\u0085", '"', "\\"];
    for (const value of [...odd, undefined, null, true, ["a"]]) {
      assert.equal(lines("connection", { value }, 0), undefined);
    }
  });
}

Deno.test("createEventLines() names fields as the log does", () => {
  const line = createEventLines("text")("request", { bytesIn: 1, upstreamMs: 2 }, 0);
  const time = "1970-01-01T00:00:00.000Z";
  const expected = `time=${time} level=info logger=mc-proxy msg=request bytes_in=1 upstream_ms=2\n`;
  assert.equal(line, expected);
});

Deno.test("createEventLines() writes the time of each event", () => {
  for (const format of ["text", "json"] as const) {
    const line = createEventLines(format);
    const times = [5, 5, 6, 5].map((now) =>
      line("connection", { id: "1" }, now)?.match(/00\.(\d+)Z/)?.[1]
    );
    assert.deepEqual(times, ["005", "005", "006", "005"]);
  }
});
