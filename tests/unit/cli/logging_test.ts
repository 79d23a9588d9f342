import assert from "node:assert/strict";
import { type Logging, setUpLogging } from "../../../lib/cli/logging.ts";
import type { LogConfig } from "../../../lib/config/mod.ts";
import type { ConnectionEvent } from "../../../lib/observe/mod.ts";

/** What a log of this kind writes while it is used. */
async function writtenBy(config: LogConfig, use: (logging: Logging) => void): Promise<string> {
  let text = "";
  const target = {
    write(bytes: Uint8Array) {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  };
  {
    await using logging = await setUpLogging(config, target);
    use(logging);
  }
  return text;
}

/** What a log of this kind writes for one event. */
function written(config: LogConfig, event: Partial<ConnectionEvent>): Promise<string> {
  return writtenBy(config, (logging) =>
    logging.logConnection({
      id: "1",
      listener: ":443",
      peer: "192.0.2.1:1",
      client: "192.0.2.1:1",
      outcome: "no_route",
      bytesIn: 0,
      bytesOut: 0,
      durationMs: 1.5,
      ...event,
    }));
}

/** No parser lets them through today; the log must not depend on that. */
const HOSTILE = [
  'a.test"\nlevel=error msg="forged"',
  'a.test","outcome":"relayed',
  "a.test\r\n\u001b[31mred\u2028\u0085",
  "{id} {outcome} %s $& \\",
];

Deno.test("a value from a stranger cannot forge a line or a field of the JSON log", async () => {
  for (const sni of HOSTILE) {
    const text = await written({ level: "info", format: "json" }, { sni });
    assert.equal(text.split("\n").length, 2);
    const event = JSON.parse(text);
    assert.equal(event.sni, sni);
    assert.equal(event.outcome, "no_route");
    assert.equal(event.message, "connection");
    assert.equal(event.bytes_in, 0);
  }
});

Deno.test("a value from a stranger cannot forge a line or a field of the text log", async () => {
  for (const sni of HOSTILE) {
    const text = await written({ level: "info", format: "text" }, { sni });
    assert.match(text, /^\P{Cc}*\n$/u);
    // With the quoted values taken out, the fields are those we wrote.
    const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
    assert.equal(bare.match(/ outcome=/g)?.length, 1);
    assert.equal(bare.match(/(^| )level=/g)?.length, 1);
  }
});

Deno.test("braces in a message are no template", async () => {
  const message = "/srv/{a}/{{b}.pem";
  const text = await writtenBy({ level: "info", format: "json" }, (logging) => {
    logging.log({ level: "warn", message, fields: { a: "x" } });
  });
  assert.equal(JSON.parse(text).message, message);
});

Deno.test("events below the configured level are not written", async () => {
  assert.equal(await written({ level: "warn", format: "json" }, {}), "");
});
