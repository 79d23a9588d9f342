import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createServer } from "node:https";
import {
  AuthError,
  type IntrospectionOptions,
  TokenIntrospection,
} from "../../../lib/dns_admin/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";

const IDENTITY = await createServerIdentity("localhost");

interface Reply {
  readonly status?: number;
  readonly body?: string;
  readonly fields?: Record<string, string>;
  /** Never answers. */
  readonly hangs?: boolean;
}

/** An identity service that answers as it is told. */
async function start(
  reply: Reply | ((token: string) => Reply),
  options: Partial<IntrospectionOptions> = {},
) {
  const asked: { path: string; body: string }[] = [];
  const { certPem: cert, keyPem: key } = IDENTITY;
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      asked.push({ path: request.url ?? "", body });
      const token = new URLSearchParams(body).get("token") ?? "";
      const { status = 200, body: text = "", fields = {}, hangs = false } =
        typeof reply === "function" ? reply(token) : reply;
      if (hangs) return;
      response.writeHead(status, fields);
      response.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const clock = { now: 1_000_000 };
  const messages: string[] = [];
  const introspection = new TokenIntrospection({
    serverUrl: `https://localhost:${port}`,
    caCertPem: IDENTITY.ca,
    serviceName: "mcns",
    tags: [],
    log: ({ message }) => messages.push(message),
    now: () => clock.now,
    ...options,
  });
  return {
    ...{ asked, clock, messages, introspection, port },
    async [Symbol.asyncDispose]() {
      introspection[Symbol.dispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function active(more: Record<string, unknown> = {}): Reply {
  return { body: JSON.stringify({ active: true, sub: "kyle", scope: "mcns:read:a.", ...more }) };
}

async function isUnavailable(promise: Promise<unknown>) {
  const error = await promise.then(() => assert.fail("it was answered"), (thrown) => thrown);
  assert(error instanceof AuthError && error.code === "unavailable", String(error));
}

Deno.test("a token is asked about as RFC 7662 says, and let in by its scopes", async () => {
  await using mcias = await start(active({ scope: "openid mcns:write:A. admin mcns:nope" }));
  const caller = await mcias.introspection.introspect("t1");
  assert.equal(caller?.name, "mcias kyle");
  assert.deepEqual([caller?.access.isAdmin, caller?.access.may("write", "a.")], [false, true]);
  assert.deepEqual(mcias.asked, [{
    path: "/v1/introspect",
    body: "token=t1&token_type_hint=access_token",
  }]);
});

const REFUSED: readonly [string, Record<string, unknown>][] = [
  ["an inactive token", { active: false }],
  ["a word that is not true", { active: "true" }],
  ["a token for somebody else", { aud: "mcr" }],
  ["a token for others", { aud: ["mcr", "sgard"] }],
  ["a token that has ended", { exp: 1000 }],
  ["a token whose end is nothing", { exp: "soon" }],
  ["a token without the tags", { tags: ["env:dev"] }],
];

Deno.test("what does not hold lets nobody in", async () => {
  for (const [what, said] of REFUSED) {
    await using mcias = await start(active(said), { tags: ["env:prod"] });
    assert.equal(await mcias.introspection.introspect("t"), undefined, what);
  }
  await using good = await start(
    active({ aud: ["mcns"], exp: 1001, tags: "env:prod x", roles: ["admin"] }),
    { tags: ["env:prod"] },
  );
  assert.equal((await good.introspection.introspect("t"))?.access.isAdmin, true);
});

const BROKEN: readonly [string, Reply][] = [
  ["an error", { status: 500, body: '{"active":true}' }],
  ["a redirect", { status: 307, fields: { location: "/elsewhere" } }],
  ["no JSON", { body: "active" }],
  ["another JSON", { body: "[true]" }],
  ["null", { body: "null" }],
  ["an answer without active", { body: "{}" }],
  ["an endless answer", { body: `{"active":true,"x":"${"x".repeat(70_000)}"}` }],
  ["silence", { hangs: true }],
];

Deno.test("a service that is not well lets nobody in, and says so", async () => {
  for (const [what, reply] of BROKEN) {
    await using mcias = await start(reply, { timeoutMs: 200 });
    await isUnavailable(mcias.introspection.introspect("t"));
    assert.deepEqual(mcias.messages, ["a token could not be asked about"], what);
    // It is asked again.
    await isUnavailable(mcias.introspection.introspect("t"));
    assert(mcias.asked.length >= 2, what);
  }
});

Deno.test("a service of another authority is not believed", async () => {
  await using mcias = await start(active(), { caCertPem: "" });
  await isUnavailable(mcias.introspection.introspect("t"));
  assert.deepEqual(mcias.asked, []);
});

Deno.test("an answer is remembered for seconds, good or bad, and each token apart", async () => {
  let isGood = true;
  await using mcias = await start((token) =>
    token === "good" && isGood ? active() : { body: '{"active":false}' }
  );
  const { introspection, clock, asked } = mcias;
  const both = await Promise.all([
    introspection.introspect("good"),
    introspection.introspect("good"),
  ]);
  assert.equal(both[0], both[1]);
  assert.equal(await introspection.introspect("bad"), undefined);
  assert.equal(await introspection.introspect("bad"), undefined);
  assert.equal(asked.length, 2);
  isGood = false;
  clock.now += 4999;
  assert(await introspection.introspect("good"));
  clock.now += 1;
  assert.equal(await introspection.introspect("good"), undefined);
  assert.equal(asked.length, 3);
});

Deno.test("so many questions are open and no more", async () => {
  await using mcias = await start({ hangs: true }, { timeoutMs: 300 });
  const first = Array.from({ length: 16 }, (_, i) => mcias.introspection.introspect(`t${i}`));
  for (const one of first) one.catch(() => {});
  await isUnavailable(mcias.introspection.introspect("one more"));
  assert(mcias.asked.length < 17);
  await Promise.allSettled(first);
});

Deno.test("a URL with a path is asked there", async () => {
  await using mcias = await start(active());
  using other = new TokenIntrospection({
    serverUrl: `https://localhost:${mcias.port}/oauth/introspect`,
    caCertPem: IDENTITY.ca,
    serviceName: "mcns",
    tags: [],
    log: () => {},
    now: () => 0,
  });
  await other.introspect("t");
  assert.equal(mcias.asked[0]?.path, "/oauth/introspect");
  assert.throws(() =>
    new TokenIntrospection({
      ...{ serverUrl: "http://localhost/", caCertPem: "", serviceName: "", tags: [] },
      ...{ log: () => {}, now: () => 0 },
    }), TypeError);
});
