import assert from "node:assert/strict";
import { whyNeverMet } from "../../lib/policy/mod.ts";
import { connectRawTls, HOST, startL7 } from "../support/l7.ts";

/** Fields as a client would send them, were they required. */
const SENT: Readonly<Record<string, string>> = {
  "connection": "keep-alive",
  "host": HOST,
  "keep-alive": "timeout=5",
  "proxy-connection": "keep-alive",
  "transfer-encoding": "chunked",
  "x_api_key": "1",
};

for (const [name, value] of Object.entries(SENT)) {
  Deno.test(`a required ${name} is warned of, and who sends it is refused all the same`, async () => {
    const policy = { id: 1, type: "require_header", value: name } as const;
    assert.match(whyNeverMet(policy, true) ?? "", /no request passes/);
    await using proxy = await startL7({ backend: "127.0.0.1:1", policies: [policy] });
    await using peer = await connectRawTls({ port: proxy.port });
    const fields = name === "host" ? [] : [`${name}: ${value}`];
    const head = ["POST / HTTP/1.1", `Host: ${HOST}`, ...fields, "", "0", "", ""].join("\r\n");
    await peer.write(head);
    const status = await peer.readText(12);
    assert.equal(status, name.includes("_") ? "HTTP/1.1 400" : "HTTP/1.1 403");
  });
}
