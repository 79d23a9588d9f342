/**
 * Which rule takes a path, beside nginx's `location`: whatever we let through is taken by the same
 * rule there, over both versions of HTTP, however it is spelled. What we refuse (400) nginx reads in
 * one of the ways in which it can be read.
 *
 * @module
 */
import assert from "node:assert/strict";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { startNginx } from "../support/foreign_servers.ts";
import { createRandom } from "../support/fuzz.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { HOST, identity, startL7, startSeeingBackend } from "../support/l7.ts";
import { unusedPort } from "../support/ports.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 1);
const CASES = Number(Deno.env.get("PATH_CASES") ?? 120);

/** Rules by their names, which are what is answered. */
const EXACT = {
  "/healthz": "health",
  "/a b": "space",
  "/é": "accent",
  "/100%": "percent",
} as const;
const PREFIXES = { "/public": "public", "/public/deep": "deep", "/Public": "upper" } as const;
const REST = "rest";

/** Whole paths that somebody has got past a rule with. */
const KNOWN = [
  "/public",
  "/public/",
  "/public?",
  "/public?/../secret",
  "/public#/../secret",
  "/publicx",
  "/public/deep/x",
  "/PUBLIC",
  "/Public/x",
  "/healthz",
  "/healthz/",
  "/healthz?x",
  "/%68ealthz",
  "/a%20b",
  "/a+b",
  "/%c3%a9",
  "/%C3%A9",
  "/%e9",
  "/é",
  "/100%25",
  "/100%",
  "/%31%30%30%25",
  "/",
  "*",
  "/public/..",
  "/public/../secret",
  "/public/./deep",
  "/public/deep/../../secret",
  "/public/%2e%2e/secret",
  "/public/.%2E/secret",
  "/public/%252e%252e/secret",
  "/public%2fdeep",
  "/public%2Fdeep/x",
  "/public%5cdeep",
  "/public\\deep",
  "/public;x/deep",
  "/public/;/deep",
  "/public..;/secret",
  "/public/..;/secret",
  "/secret/..%2fpublic",
  "//public",
  "/public//deep",
  "///",
  "/public/%00",
  "/public%0a/deep",
  "/public/%c0%ae%c0%ae/secret",
  "/public/%e0%80%ae",
  "/public/%zz",
  "/public/%",
  "/public/%2",
  "/public/...",
  "/public/.deep",
  "/public/deep.",
  "/public/deep%2e",
  "/public/deep/%2e",
  `https://${HOST}/public/x`,
  `https://${HOST}/public/../secret`,
  `https://${HOST}`,
  `https://${HOST}?/public`,
  `https://${HOST}/%70ublic`,
  `https://${HOST}//public`,
];

const SEGMENTS = [
  ...["public", "deep", "secret", "Public", "PUBLIC", "%70ublic", "publi%63", "de%65p", "healthz"],
  ...["..", ".", "%2e", "%2e%2e", ".%2e", "%2E.", "...", "", "..;", ";", "public;v=1", "a b"],
  ...["a%20b", "%c3%a9", "%e9", "%252e%252e", "%2f", "x%2Fy", "%5c", "..%5c..", "\\", "%00", "%3b"],
  ...["%3B", "~", "a:b", "@", "!$&'()*+,=", "%7e", "100%25", "%25", "%", "?", "#", "*"],
];

/** Paths put together of what is read in many ways. */
function* odd(): Generator<string> {
  const random = createRandom(SEED);
  const rules = SEGMENTS.slice(0, 9);
  for (let i = 0; i < CASES; i++) {
    const segments = Array.from(
      { length: 1 + random.below(4) },
      // What is about rules is near them.
      () => random.pick(random.below(2) === 0 ? rules : SEGMENTS),
    );
    yield `/${segments.join("/")}${random.below(5) === 0 ? "/" : ""}`;
  }
}

/** A proxy that is asked for paths, over HTTP/1.1 and over HTTP/2. */
class Asked implements AsyncDisposable {
  readonly #port: number;
  #wire: Wire | undefined;
  #h2: RawHttp2Client | undefined;
  #stream = 1;

  constructor(port: number) {
    this.#port = port;
  }

  /** What rule it says has taken the path; a status or the name of an end: none. */
  async over1(path: string): Promise<string> {
    const wire = this.#wire ??= await Wire.connect({ port: this.#port });
    await wire.send(requestText("GET", path));
    const { status, lines, body } = await wire.answer();
    if (lines.some((line) => /^connection: close$/i.test(line))) {
      wire[Symbol.dispose]();
      this.#wire = undefined;
    }
    return status === 200 ? body : String(status);
  }

  async over2(path: string): Promise<string> {
    const client = this.#h2 ??= await RawHttp2Client.connect(this.#port);
    const id = this.#stream;
    this.#stream += 2;
    const fields = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", path];
    await client.write(client.headers(id, fields, true));
    const status = await client.answer(id);
    if (status.startsWith("goaway")) {
      await client[Symbol.asyncDispose]();
      this.#h2 = undefined;
      this.#stream = 1;
    }
    if (status !== "200") return status;
    await eventually(() => client.content(id) !== "", "the content");
    return client.content(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire?.[Symbol.dispose]();
    await this.#h2?.[Symbol.asyncDispose]();
  }
}

const answer = (body: string) => ({ status: 200, body, contentType: "text/plain" });

function locations(): string {
  const say = (rule: string) => `{ return 200 "${rule}"; }`;
  return [
    ...Object.entries(EXACT).map(([path, rule]) => `location = "${path}" ${say(rule)}`),
    ...Object.entries(PREFIXES).flatMap(([path, rule]) => [
      `location = "${path}" ${say(rule)}`,
      `location "${path}/" ${say(rule)}`,
    ]),
    `location / ${say(REST)}`,
  ].join("\n");
}

testWithCommands(
  ["nginx"],
  "whatever path is let through is taken by the rule that nginx takes for it",
  async () => {
    await using proxy = await startL7({
      backend: "",
      route: {
        paths: [
          ...Object.entries(EXACT).map(([exact, rule]) => ({ exact, respond: answer(rule) })),
          ...Object.entries(PREFIXES).map(([prefix, rule]) => ({ prefix, respond: answer(rule) })),
        ],
        respond: answer(REST),
      },
    });
    const { certPem, keyPem } = await identity();
    const port = await unusedPort();
    await using _nginx = await startNginx({
      port,
      files: { "a.pem": certPem, "a.key": keyPem },
      config: `http { access_log off; default_type text/plain; keepalive_requests 100000;
        server { listen 127.0.0.1:${port} ssl http2; server_name _;
          ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/a.key;
          ${locations()} } }`,
    });
    await using ours = new Asked(proxy.port);
    await using theirs = new Asked(port);
    const taken = new Map<string, number>();
    for (const path of new Set([...KNOWN, ...odd()])) {
      const one = await ours.over1(path);
      const two = await ours.over2(path);
      const isRule = (said: string) => /^[a-z]+$/.test(said);
      // A space ends the target in HTTP/1.1, and an absolute form is none in HTTP/2.
      if (isRule(one) && isRule(two)) assert.equal(one, two, path);
      if (isRule(one)) {
        taken.set(one, (taken.get(one) ?? 0) + 1);
        assert.equal(await theirs.over1(path), one, `over HTTP/1.1: ${path}`);
      }
      if (isRule(two)) assert.equal(await theirs.over2(path), two, `over HTTP/2: ${path}`);
    }
    // Each rule has taken some, so that this compares something.
    for (const rule of [...Object.values(EXACT), ...Object.values(PREFIXES), REST]) {
      assert.ok((taken.get(rule) ?? 0) > 0, `${rule}: ${JSON.stringify([...taken])}`);
    }
  },
);

Deno.test("what a rule has matched is what its backend gets, to the octet, over both versions", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({
    backend: "",
    route: { backendProtocol: "http1", paths: [{ prefix: "/", backend: backend.address }] },
  });
  await using asked = new Asked(proxy.port);
  let passed = 0;
  for (const path of new Set([...KNOWN, ...odd()])) {
    // RFC 9112 §3.2.2: the absolute form is for a proxy, whose request is in origin form.
    const sent = path.replace(/^https:\/\/[^/?]+/, "").replace(/^(?=\?)|^$/, "/");
    for (const ask of [() => asked.over1(path), () => asked.over2(path)]) {
      const before = backend.seen.length;
      const said = await ask();
      if (said !== "ok") {
        assert.equal(backend.seen.length, before, `${path}: ${said}`);
        continue;
      }
      passed++;
      assert.equal(backend.seen.length, before + 1, path);
      assert.equal(backend.seen.at(-1)?.path, sent);
    }
  }
  assert.ok(passed > 50, `${passed} have passed`);
});
