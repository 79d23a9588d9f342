import assert from "node:assert/strict";
import { type Logging, setUpLogging } from "../../../lib/cli/logging.ts";
import type { ConnectionEvent, RequestEvent } from "../../../lib/observe/mod.ts";

/** With every field that there is: the compiler asks for new ones. */
const CONNECTION: Required<ConnectionEvent> = {
  id: "1",
  listener: ":443",
  peer: "10.0.0.1:1",
  client: "192.0.2.1:5123",
  sni: "a.test",
  route: "a.test",
  mode: "l4",
  backend: "10.0.0.5:443",
  rule: "ip 192.0.2.1 (#1)",
  identity: "org/user",
  host: "h",
  outcome: "relayed",
  reason: "r",
  bytesIn: 1,
  bytesOut: 2,
  durationMs: 3,
};

const REQUEST: Required<RequestEvent> = {
  request: "r",
  connection: "1",
  client: "[2001:db8::1]:443",
  method: "GET",
  host: "a.test",
  path: "/",
  route: "a.test",
  backend: "10.0.0.5:443",
  status: 200,
  backendOutcome: "ok",
  grpcStatus: "0",
  bytesIn: 1,
  bytesOut: 2,
  durationMs: 3,
  upstreamMs: 4,
  protocol: "h2",
  backendProtocol: "h2",
  policy: "p",
  reason: "r",
};

/** What every line has. */
const HEAD = ["@timestamp", "level", "message", "logger"];

async function logged(
  format: "text" | "json",
  use: (logging: Logging) => void,
): Promise<string> {
  let text = "";
  const write = (bytes: Uint8Array) => {
    text += new TextDecoder().decode(bytes);
    return Promise.resolve(bytes.length);
  };
  {
    await using logging = await setUpLogging({ level: "info", format }, { write });
    use(logging);
  }
  return text;
}

Deno.test("who blocks a client finds its address by itself in the log, without port and brackets", async () => {
  const cases = [
    ["192.0.2.1:5123", "192.0.2.1"],
    ["[2001:db8::1]:443", "2001:db8::1"],
    ["[::1]:1", "::1"],
  ] as const;
  for (const [client, ip] of cases) {
    const json = await logged("json", (it) => it.logConnection({ ...CONNECTION, client }));
    assert.equal(JSON.parse(json).client_ip, ip);
    assert.equal(JSON.parse(json).client, client);
    const text = await logged("text", (it) => it.logRequest({ ...REQUEST, client }));
    assert.ok(text.trimEnd().split(" ").includes(`client_ip=${ip}`), text);
    // What the fast writer leaves to the formatter has it too.
    const odd = { ...CONNECTION, client, reason: "\u00e9" };
    assert.equal(JSON.parse(await logged("json", (it) => it.logConnection(odd))).client_ip, ip);
  }
});

Deno.test("docs/log.md names every field of a connection and of a request, with its type", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/log.md", import.meta.url));
  const events = {
    connection: await logged("json", (it) => it.logConnection(CONNECTION)),
    request: await logged("json", (it) => it.logRequest(REQUEST)),
  };
  for (const [message, line] of Object.entries(events)) {
    const section = page.split(`## \`${message}\``)[1]?.split("## ")[0] ?? "";
    const rows = [...section.matchAll(/^\| `(\w+)` +\| (text|number) /gm)];
    const documented = Object.fromEntries(rows.map(([, field, type]) => [field, type]));
    const fields = Object.entries(JSON.parse(line)).filter(([key]) => !HEAD.includes(key));
    const found = Object.fromEntries(
      fields.map(([key, value]) => [key, typeof value === "number" ? "number" : "text"]),
    );
    assert.deepEqual(found, documented);
  }
});
