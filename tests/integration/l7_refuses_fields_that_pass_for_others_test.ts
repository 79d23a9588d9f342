import assert from "node:assert/strict";
import { FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { DEFAULT_FIELD_SETTINGS, type FieldSettings } from "../../lib/l7/mod.ts";
import { frame } from "../support/h2_raw.ts";
import { CLIENTS, HOST, seenValues, startL7, startSeeingBackend } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const FRONTS = ["h2", "http/1.1"] as const;

/** Starts a proxy with these rules in front of a backend that keeps what it is asked. */
async function start(rules: Partial<FieldSettings> = {}) {
  const backend = await startSeeingBackend();
  const fields = { ...DEFAULT_FIELD_SETTINGS, ...rules };
  const proxy = await startL7({
    backend: backend.address,
    settings: { l7: { h2Transport: "own", accessLog: true, fields } },
  });
  return {
    ...{ backend, proxy, port: proxy.port },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

for (const front of FRONTS) {
  Deno.test(`names with an underscore never reach a backend (${front})`, async () => {
    await using setup = await start();
    await using client = await CLIENTS[front](setup);
    for (const name of ["x_forwarded_for", "user_agent", "x_api_key", "_"]) {
      const { status } = await client.ask({ headers: { [name]: "1" } });
      assert.equal(status, 400, name);
    }
    assert.equal((await client.ask()).status, 200);
    assert.equal(setup.backend.seen.length, 1);
  });

  Deno.test(`where underscores are allowed, names of known fields are not (${front})`, async () => {
    await using setup = await start({ refuseUnderscores: false });
    await using client = await CLIENTS[front](setup);
    const lookalikes = ["x_forwarded_for", "user_agent", "x_real_ip", "x_forwarded_ssl"];
    for (const name of [...lookalikes, "x.forwarded.for", "x_original-url"]) {
      const { status } = await client.ask({ headers: { [name]: "1" } });
      assert.equal(status, 400, name);
    }
    assert.equal((await client.ask({ headers: { "x_api_key": "k", "x.y": "z" } })).status, 200);
    const [request] = setup.backend.seen;
    assert.ok(request);
    assert.deepEqual(seenValues(request, "x_api_key"), ["k"]);
    assert.deepEqual(seenValues(request, "x.y"), ["z"]);
  });
}

/** What a stranger says of hops before this one, and of what they asked for. */
const CLAIMS: Readonly<Record<string, string>> = {
  "x-forwarded-for": "10.0.0.1",
  "x-forwarded-host": "admin.test",
  "x-forwarded-proto": "http",
  "x-forwarded-port": "80",
  "x-forwarded-prefix": "/admin",
  "x-forwarded-server": "admin.test",
  "x-forwarded-scheme": "http",
  "x-forwarded-ssl": "off",
  "x-forwarded-client-cert": "Subject=admin",
  "x-real-ip": "10.0.0.2",
  "x-client-ip": "10.0.0.3",
  "true-client-ip": "10.0.0.4",
  "cf-connecting-ip": "10.0.0.5",
  "x-cluster-client-ip": "10.0.0.6",
  "x-original-url": "/admin",
  "x-original-uri": "/admin",
  "x-original-host": "admin.test",
  "x-rewrite-url": "/admin",
  "x-host": "admin.test",
  "x-ssl-client-verify": "SUCCESS",
  "forwarded": "for=10.0.0.7;host=admin.test",
  "front-end-https": "off",
  "proxy": "http://evil.test:8080",
};
/** What this hop says in their place. */
const REPLACED: Readonly<Record<string, readonly string[]>> = {
  "x-forwarded-for": ["127.0.0.1"],
  "x-forwarded-host": [HOST],
  "x-forwarded-proto": ["https"],
  "x-real-ip": ["127.0.0.1"],
};

for (const front of FRONTS) {
  Deno.test(`what strangers claim of earlier hops is replaced or dropped (${front})`, async () => {
    await using setup = await start();
    await using client = await CLIENTS[front](setup);
    assert.equal((await client.ask({ headers: CLAIMS })).status, 200);
    const [request] = setup.backend.seen;
    assert.ok(request);
    for (const name of Object.keys(CLAIMS)) {
      assert.deepEqual(seenValues(request, name), REPLACED[name] ?? [], name);
    }
  });

  Deno.test(`what a proxy of ours claims of earlier hops is kept (${front})`, async () => {
    await using setup = await start({ trustedForwarding: ["10.0.0.0/8", "127.0.0.1"] });
    await using client = await CLIENTS[front](setup);
    assert.equal((await client.ask({ headers: CLAIMS })).status, 200);
    const [request] = setup.backend.seen;
    assert.ok(request);
    for (const [name, value] of Object.entries(CLAIMS)) {
      const kept = name === "x-forwarded-for" ? `${value}, 127.0.0.1` : value;
      assert.deepEqual(seenValues(request, name), [kept], name);
    }
  });
}

const pseudo = (
  scheme = "https",
) => [":method", "POST", ":scheme", scheme, ":authority", HOST, ":path", "/"];

Deno.test("trailers of a request pass by name", async () => {
  await using setup = await start({ requestTrailers: ["x-mine", "authorization"] });
  await using client = await RawHttp2Client.connect(setup.port);
  const trailers = [
    ["user-agent", "evil"],
    ["x-forwarded-for", "10.0.0.1"],
    ["x_real_ip", "10.0.0.1"],
    ["x-anything", "1"],
    ["authorization", "Basic x"],
    ["content-digest", "sha-256=:AA==:"],
    ["x-mine", "2"],
  ];
  await client.write(
    client.headers(1, pseudo(), false),
    frame(FrameType.data, 0, 1, new TextEncoder().encode("hello")),
    client.headers(1, trailers.flat(), true),
  );
  assert.equal(await client.answer(1), "200");
  assert.deepEqual(setup.backend.seen[0]?.body, "hello");
  assert.deepEqual(setup.backend.seen[0]?.trailers, trailers.slice(5).flat());
});

Deno.test("a request over TLS for another scheme than https is refused", async () => {
  await using setup = await start();
  await using client = await RawHttp2Client.connect(setup.port);
  for (const [i, scheme] of ["http", "ftp", "httpss"].entries()) {
    await client.write(client.headers(2 * i + 1, pseudo(scheme), true));
    assert.equal(await client.answer(2 * i + 1), "400", scheme);
  }
  assert.deepEqual(setup.backend.seen, []);
});

Deno.test("fields that end at this hop do not reach a backend over HTTP/2 either", async () => {
  await using setup = await start();
  await using client = await RawHttp2Client.connect(setup.port);
  const fields = ["http2-settings", "AAMAAABk", "proxy-authorization", "Basic x"];
  await client.write(
    client.headers(1, [...pseudo(), ...fields, "authorization", "Basic y"], false),
    frame(FrameType.data, FrameFlag.endStream, 1),
  );
  assert.equal(await client.answer(1), "200");
  const [request] = setup.backend.seen;
  assert.ok(request);
  assert.deepEqual(seenValues(request, "http2-settings"), []);
  assert.deepEqual(seenValues(request, "proxy-authorization"), []);
  assert.deepEqual(seenValues(request, "authorization"), ["Basic y"]);
});
