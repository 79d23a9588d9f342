import assert from "node:assert/strict";
import { createRateLimiter } from "../../lib/firewall/mod.ts";
import { type ListenerSnapshot } from "../../lib/plane/mod.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import {
  listenerOf,
  type PlaneOptions,
  routeOf,
  startPlane,
  type TestPlane,
} from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";
import { proxyV1 } from "../support/proxy_header.ts";

const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const L7 = { backend: "127.0.0.1:9", mode: "l7", tlsCert: "c", tlsKey: "k" } as const;

const proof = {
  type: "http-01",
  name: "proved.example",
  token: TOKEN,
  keyAuthorization: `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`,
} as const;

interface Ports {
  readonly plane: TestPlane;
  /** Of plain HTTP. */
  readonly port: number;
  /** Of the listener with the routes. */
  readonly https: number;
}

async function start(
  options: PlaneOptions & { readonly redirect?: Partial<ListenerSnapshot> } = {},
): Promise<Ports> {
  const port = await unusedPort();
  const redirect = listenerOf(port, { id: 2, kind: "redirect", ...options.redirect });
  const plane = await startPlane({
    routes: [
      { hostname: "a.example", ...L7 },
      { hostname: "*.w.example", ...L7 },
      { hostname: "l4.example", backend: "127.0.0.1:9" },
      { hostname: "inner.example", ...L7, allowedIps: ["192.0.2.1"] },
    ],
    ...options,
    others: [redirect, ...options.others ?? []],
  });
  return { plane, port, https: plane.port };
}

/** What a connection that says `text` is told, and how it ends. */
async function say(port: number, text: string, { pieces = false } = {}) {
  await using client = await connectRaw({ port });
  // Not waited for: whoever is reset takes nothing.
  for (const piece of pieces ? text.split("") : [text]) client.socket.write(latin1(piece));
  const { bytes, ending } = await client.readToEnd();
  return { text: new TextDecoder().decode(bytes), ending };
}

const latin1 = (text: string) => Uint8Array.from(text, (it) => it.charCodeAt(0));
const get = (target: string, host: string, more = "") =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

Deno.test("a name of an l7 route is sent to https, with the target as it came, and the connection ends", async () => {
  const { plane, port, https } = await start();
  await using _plane = plane;
  const target = "/a//b/%2F..?q=%zz&x=<\"'>";
  const { text, ending } = await say(port, get(target, "A.Example:80"));
  assert.equal(ending, "end");
  const lines = text.split("\r\n");
  assert.match(lines.find((it) => it.startsWith("date: ")) ?? "", /^date: \w{3}, .* GMT$/);
  assert.deepEqual(lines.filter((it) => !it.startsWith("date: ")), [
    "HTTP/1.1 308 Permanent Redirect",
    `location: https://a.example:${https}${target}`,
    "cache-control: max-age=3600",
    "content-length: 0",
    "connection: close",
    "",
    "",
  ]);
  const { outcome, sni, listener } = await plane.event();
  assert.deepEqual({ outcome, sni, listener }, {
    outcome: "redirected",
    sni: "a.example",
    listener: `127.0.0.1:${port}`,
  });
  // Wildcards, octet by octet, in absolute form, of HTTP/1.0, with a body, and before more requests.
  const where = (text: string) => /location: (.*)\r\n/.exec(text)?.[1];
  const split = await say(port, get("/x", "deep.sub.w.example"), { pieces: true });
  assert.equal(where(split.text), `https://deep.sub.w.example:${https}/x`);
  const absolute = await say(port, get("http://a.example/y?", "evil.example"));
  assert.equal(where(absolute.text), `https://a.example:${https}/y?`);
  const old = await say(port, "GET /z HTTP/1.0\r\nHost: a.example\r\n\r\n");
  assert.equal(where(old.text), `https://a.example:${https}/z`);
  const smuggled = get("/smuggled", "a.example");
  for (const more of [`Content-Length: 4000\r\n`, "Transfer-Encoding: chunked\r\n"]) {
    const { text, ending } = await say(port, get("/p", "a.example", more) + smuggled);
    assert.deepEqual(text.match(/location: .*/g), [`location: https://a.example:${https}/p`]);
    assert.equal(ending, "end");
  }
  const ahead = await say(port, get("/1", "a.example") + get("/2", "a.example"));
  assert.equal(ahead.text.match(/^HTTP\/1\.1 308/gm)?.length, 1);
  const upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n";
  assert.match((await say(port, get("/", "a.example", upgrade))).text, /^HTTP\/1\.1 308/);
});

Deno.test("other names get a RST without an octet, and what is no request a status", async () => {
  const { plane, port } = await start();
  await using _plane = plane;
  const unknown = [
    get("/", "evil.example"),
    get("/", "l4.example"),
    get("/", "inner.example"),
    get("/", "w.example"),
    get("/", "127.0.0.1"),
    get("/", "[::1]:80"),
    get("/", ""),
    get("http://evil.example/", "a.example"),
    "GET / HTTP/1.0\r\n\r\n",
    "CONNECT evil.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
  ];
  for (const [i, request] of unknown.entries()) {
    assert.deepEqual(await say(port, request), { text: "", ending: "reset" }, request);
    assert.equal((await plane.event(i)).outcome, "no_route", request);
  }
  const refused = [
    [400, "GET / HTTP/1.1\r\n\r\n"],
    [400, "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n"],
    [400, get("/", "user@a.example")],
    [400, get("/#x", "a.example")],
    [400, get("/ x", "a.example")],
    [400, get("/", "a.example\r\n folded")],
    [400, get("/", "a.example", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")],
    [400, get("/", "a.example", "Content-Length: 1, 2\r\n")],
    [400, get("/", "a.example", "x : y\r\n")],
    [400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    [501, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"],
    [501, "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n"],
    [505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    [414, get(`/${"x".repeat(70_000)}`, "a.example")],
    [431, get("/", "a.example", `x: ${"y".repeat(70_000)}\r\n`)],
  ] as const;
  for (const [i, [status, request]] of refused.entries()) {
    const { text } = await say(port, request);
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(request.slice(0, 200)));
    assert.match(text, /\r\nconnection: close\r\n/);
    assert.doesNotMatch(text, /location/);
    assert.equal((await plane.event(unknown.length + i)).outcome, "request_refused");
  }
});

Deno.test("errors of plain HTTP are said in the operator's words, proofs and redirects are not", async () => {
  const page = (status: number) => ({ status, body: `<p>${status}`, contentType: "text/html" });
  const { plane, port } = await start({
    challenges: [proof],
    settings: {
      l7: { h2Transport: "own", accessLog: true, errorPages: [400, 501, 505].map(page) },
    },
  });
  await using _ = plane;
  const connect = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n";
  for (
    const [request, status] of [
      ["GET / HTTP/1.1\r\n\r\n", 400],
      [connect, 501],
      ["GET / HTTP/3.0\r\n\r\n", 505],
    ] as const
  ) {
    const { text } = await say(port, request);
    const [head = "", body] = text.split("\r\n\r\n");
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(head, /\r\ncontent-type: text\/html\r\n/);
    assert.equal(body, `<p>${status}`);
  }
  const { text: head } = await say(port, "HEAD / HTTP/1.1\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 400 [^]*\r\ncontent-length: 6\r\n[^]*\r\n\r\n$/);
  assert.match((await say(port, get("/", "a.example"))).text, /^HTTP\/1\.1 308 [^]*\r\n\r\n$/);
  assert.deepEqual(await say(port, get("/", "nobody.example")), { text: "", ending: "reset" });
});

Deno.test("of several listeners 443 is meant, else the lowest port, unless the listener says a port", async () => {
  const [low, high] = [await unusedPort(), await unusedPort()].sort((a, b) => a - b) as [
    number,
    number,
  ];
  const routes = (hostname: string) => [routeOf({ hostname, ...L7 })];
  const { plane, port, https } = await start({
    others: [
      listenerOf(high, { id: 3, routes: routes("b.example") }),
      listenerOf(low, { id: 4, routes: routes("b.example") }),
    ],
  });
  await using _plane = plane;
  assert.match((await say(port, get("/", "b.example"))).text, new RegExp(`//b.example:${low}/`));
  assert.match((await say(port, get("/", "a.example"))).text, new RegExp(`//a.example:${https}/`));
  const [, redirect] = plane.snapshot.listeners;
  await plane.plane.apply([
    { kind: "add_listener", listener: { ...redirect as ListenerSnapshot, redirectPort: 443 } },
  ]);
  assert.match((await say(port, get("/", "b.example"))).text, /\/\/b\.example\/\r\n/);
});

Deno.test("who says nothing, or nothing whole, is not waited for", async () => {
  const limits = { headerTimeoutMs: 300 };
  const { DEFAULT_HTTP_LIMITS } = await import("../../lib/l7/mod.ts");
  const { plane, port } = await start({
    settings: {
      l7: {
        ...{ h2Transport: "own", accessLog: true },
        limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
      },
    },
  });
  await using _plane = plane;
  assert.deepEqual(await say(port, ""), { text: "", ending: "end" });
  assert.equal((await plane.event(0)).outcome, "request_timeout");
  const half = await say(port, "GET / HTTP/1.1\r\nHost: a.exa");
  assert.match(half.text, /^HTTP\/1\.1 408 /);
  assert.equal((await plane.event(1)).outcome, "request_timeout");
  {
    await using client = await connectRaw({ port });
    client.end(latin1("GET / HT"));
    await client.readToEnd();
  }
  assert.equal((await plane.event(2)).outcome, "client_gone");
});

Deno.test("the firewall and its limits come before the first octet, and count the client of a PROXY header", async () => {
  {
    const { plane, port } = await start({ rules: [{ type: "ip", value: "127.0.0.1" }] });
    await using _plane = plane;
    assert.deepEqual(await say(port, ""), { text: "", ending: "reset" });
    assert.equal((await plane.event()).outcome, "blocked");
  }
  {
    const limiter = createRateLimiter({ limit: 1, windowMs: 60_000, key: new Uint32Array(4) });
    const { plane, port } = await start({
      redirect: { proxyProtocol: true, maxConnections: 1 },
      firewall: { rateLimit: { limit: 1, windowMs: 60_000, buffer: limiter.buffer } },
    });
    await using _plane = plane;
    const header = new TextDecoder("latin1").decode(proxyV1("192.0.2.7", "192.0.2.1"));
    const served = await say(port, header + get("/", "a.example"), { pieces: true });
    assert.match(served.text, /^HTTP\/1\.1 308/);
    assert.match((await plane.event()).client, /^192\.0\.2\.7:/);
    const limited = await say(port, header + get("/", "a.example"));
    assert.deepEqual(limited, { text: "", ending: "reset" });
    assert.equal((await plane.event(1)).outcome, "rate_limited");
    const bare = await say(port, get("/", "a.example"));
    assert.deepEqual(bare, { text: "", ending: "reset" });
    assert.equal((await plane.event(2)).outcome, "proxy_invalid");
    await using first = await connectRaw({ port });
    await eventually(() => plane.active === 1, "one is open");
    assert.deepEqual(await say(port, ""), { text: "", ending: "reset" });
    first.socket.destroy();
  }
});

Deno.test("a pending proof is shown past the firewall, at its path alone; whoever is blocked gets nothing else", async () => {
  const path = `/.well-known/acme-challenge/${TOKEN}`;
  const { plane, port } = await start({
    rules: [{ type: "ip", value: "127.0.0.1" }],
    challenges: [proof],
  });
  await using _plane = plane;
  const { text, ending } = await say(port, get(path, "proved.example:5002"));
  assert.equal(ending, "end");
  const [head = "", body] = text.split("\r\n\r\n");
  assert.equal(body, proof.keyAuthorization);
  assert.match(head, /^HTTP\/1\.1 200 OK\r\ncontent-type: application\/octet-stream\r\n/);
  const { outcome, sni } = await plane.event();
  assert.deepEqual([outcome, sni], ["acme_proved", "proved.example"]);
  const refused = [
    get(`${path}x`, "proved.example"),
    get(path, "a.example"),
    get("/", "a.example"),
    "rubbish\r\n\r\n",
    get("/", "a.example").replace("HTTP/1.1", "HTTP/2.0"),
  ];
  for (const [i, request] of refused.entries()) {
    assert.deepEqual(await say(port, request), { text: "", ending: "reset" }, request);
    assert.equal((await plane.event(i + 1)).outcome, "blocked");
  }
  await plane.plane.apply([{ kind: "challenges", challenges: [] }]);
  assert.deepEqual(await say(port, ""), { text: "", ending: "reset" }, "nothing is read any more");
});

Deno.test("connections of a listener that redirects end with the plane", async () => {
  const { plane, port } = await start();
  await using _plane = plane;
  await using idle = await connectRaw({ port });
  await eventually(() => plane.active === 1, "it is open");
  const drained = plane.plane.drain(5000);
  assert.equal((await idle.readToEnd()).ending, "end");
  idle.socket.destroy();
  await drained;
});

testWithCommands(["curl"], "curl follows, with a method and a body that are kept", async () => {
  const { plane, port, https } = await start();
  await using _plane = plane;
  const curl = async (...args: string[]) => {
    const connect = ["--connect-to", `a.example:80:127.0.0.1:${port}`, "-s", "-m", "5"];
    const { stdout } = await runCommand("curl", [...connect, ...args, "http://a.example/x"]);
    return stdout;
  };
  const wanted = `308 https://a.example:${https}/x`;
  const write = ["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"];
  assert.equal(await curl(...write), wanted);
  assert.equal(await curl(...write, "--http2"), wanted);
  const file = await Deno.makeTempFile();
  await Deno.writeFile(file, new Uint8Array(2_000_000));
  assert.equal(await curl(...write, "--data-binary", `@${file}`), wanted);
  assert.equal(await curl(...write, "-T", file, "-H", "Expect: 100-continue"), wanted);
  await Deno.remove(file);
});
