import assert from "node:assert/strict";
import { AcmeClient, type AcmeError, AcmeHttp, generateKey } from "../../lib/acme/mod.ts";
import { directoryOf, type FakeCa, type FakeHandler, startFakeCa } from "../support/fake_ca.ts";

/** A client of a CA that answers everything but its directory with `handler`. */
async function setUp(handler: FakeHandler, directory: Record<string, unknown> = {}) {
  const ca: FakeCa = await startFakeCa((path, request) =>
    path === "/dir" ? directoryOf(ca, directory) : handler(path, request)
  );
  const http = new AcmeHttp({
    ...{ caPem: ca.caPem, userAgent: "test", now: () => 0 },
    timeoutMs: 1000,
  });
  const key = await generateKey();
  const account = ca.url("/account");
  const client = new AcmeClient({ http, directory: ca.directory, key, account });
  return {
    ca,
    client,
    async [Symbol.asyncDispose]() {
      http[Symbol.dispose]();
      await ca[Symbol.asyncDispose]();
    },
  };
}

const order = (url: (path: string) => string, more: Record<string, unknown> = {}) => ({
  status: "pending",
  authorizations: [url("/authz")],
  finalize: url("/finalize"),
  ...more,
});

const untilGivenUp = (_path: string, { signal }: Request) =>
  new Promise<Response>((resolve) => {
    signal.addEventListener("abort", () => resolve(new Response()));
  });

const endless = () =>
  new Response(
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)),
    }),
  );

for (
  const [what, answer, want] of [
    ["endlessly", endless, { code: "too_large" }],
    ["never", untilGivenUp, { code: "timeout" }],
    ["with a redirect", () => Response.redirect("https://localhost:1/", 307), {
      code: "malformed",
    }],
    ["with a page", () => new Response("<html>", { status: 200 }), { code: "malformed" }],
    ["with a list", () => Response.json([]), { code: "malformed" }],
    ["with an error that is no problem document", () => new Response("no", { status: 500 }), {
      code: "refused",
      status: 500,
    }],
    [
      "with Retry-After",
      () =>
        Response.json(
          { type: "urn:ietf:params:acme:error:rateLimited", detail: "a\nb\u001b[31m" },
          {
            status: 429,
            headers: { "retry-after": "120" },
          },
        ),
      { code: "refused", type: "rateLimited", retryAfterMs: 120_000 },
    ],
    ["with a date in Retry-After, absurdly far", () =>
      new Response("{}", {
        status: 503,
        headers: { "retry-after": "Fri, 01 Jan 2100 00:00:00 GMT" },
      }), { code: "refused", retryAfterMs: 86_400_000 }],
    [
      "with nonsense in Retry-After",
      () => new Response("{}", { status: 503, headers: { "retry-after": "soon" } }),
      {
        code: "refused",
        retryAfterMs: undefined,
      },
    ],
  ] as const
) {
  Deno.test(`AcmeClient ends an order when the CA answers ${what}`, async () => {
    await using it = await setUp(answer);
    const error = await it.client.newOrder({ names: ["a.example"] }).then(
      () => assert.fail("was taken"),
      (error: AcmeError) => error,
    );
    for (const [name, value] of Object.entries(want)) {
      assert.equal(error[name as keyof AcmeError], value, `${name}: ${error.message}`);
    }
    // deno-lint-ignore no-control-regex -- what must not be there
    assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
  });
}

for (
  const [what, more] of [
    ["no status that is known", { status: "fine" }],
    ["a URL that is not https", { finalize: "http://localhost/finalize" }],
    ["a URL that is a file", { finalize: "file:///etc/passwd" }],
    ["no authorizations", { authorizations: [] }],
    ["too many authorizations", { authorizations: Array(101).fill("https://localhost/a") }],
    ["a certificate that is no URL", { status: "valid", certificate: 7 }],
  ] as const
) {
  Deno.test(`AcmeClient takes no order with ${what}`, async () => {
    await using it = await setUp((_path, _request) =>
      Response.json(order(it.ca.url, more), { headers: { location: it.ca.url("/order") } })
    );
    await assert.rejects(it.client.newOrder({ names: ["a.example"] }), { code: "malformed" });
  });
}

Deno.test("AcmeClient takes no order without a URL, and no directory that leaves HTTPS", async () => {
  await using it = await setUp(() => Response.json(order((path) => `https://localhost${path}`)));
  await assert.rejects(it.client.newOrder({ names: ["a.example"] }), { code: "malformed" });
  await using other = await setUp(() => Response.json({}), { newOrder: "http://localhost/" });
  await assert.rejects(other.client.newOrder({ names: ["a.example"] }), { code: "malformed" });
});

Deno.test("AcmeClient leaves out challenges whose token would be a path, or has no length", async () => {
  const tokens = ["../../etc/passwd", "a/b0123456789abcdef", "short", "x".repeat(600), "", 7];
  const good = "0123456789abcdef-_ABC";
  await using it = await setUp(() =>
    Response.json({
      status: "pending",
      identifier: { type: "dns", value: "A.example" },
      challenges: [...tokens, good].map((token) => ({
        ...{ type: "http-01", status: "pending", token },
        url: it.ca.url("/challenge"),
      })),
    })
  );
  const authorization = await it.client.authorization(it.ca.url("/authz"));
  assert.deepEqual(authorization.challenges.map(({ token }) => token), [good]);
  assert.equal(authorization.name, "a.example");
});

Deno.test("AcmeClient does not try a nonce for ever", async () => {
  await using it = await setUp(() =>
    Response.json({ type: "urn:ietf:params:acme:error:badNonce" }, { status: 400 })
  );
  await assert.rejects(it.client.newOrder({ names: ["a.example"] }), { type: "badNonce" });
  assert.equal(it.ca.asked.filter((path) => path === "/newOrder").length, 24);
});

Deno.test("AcmeClient asks for a nonce when the one it got is none", async () => {
  await using it = await setUp(() =>
    new Response("{}", { status: 500, headers: { "replay-nonce": "not base64url!" } })
  );
  for (let i = 0; i < 2; i++) await it.client.newOrder({ names: ["a"] }).catch(() => {});
  assert.equal(it.ca.asked.filter((path) => path === "/nonce").length, 2);
});

for (
  const [what, text] of [
    ["nothing", ""],
    ["a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
    [
      "a chain without end",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".repeat(11),
    ],
  ] as const
) {
  Deno.test(`AcmeClient takes ${what} for no chain`, async () => {
    await using it = await setUp(() => new Response(text));
    await assert.rejects(it.client.certificate(it.ca.url("/cert")), { code: "malformed" });
  });
}

Deno.test("AcmeClient takes no window of renewal that ends before it starts", async () => {
  let window: Record<string, unknown> = {
    start: "2030-01-02T00:00:00Z",
    end: "2030-01-01T00:00:00Z",
  };
  await using it = await setUp(() => Response.json({ suggestedWindow: window }));
  for (const wrong of [window, {}, { start: "x", end: "y" }]) {
    window = wrong;
    await assert.rejects(it.client.renewalInfo("a.b"), { code: "malformed" });
  }
});

Deno.test("AcmeClient reaches no CA whose certificate is not signed by its authority", async () => {
  await using it = await setUp(() => Response.json({}));
  using http = new AcmeHttp({ userAgent: "test", now: () => 0 });
  const client = new AcmeClient({ http, directory: it.ca.directory, key: await generateKey() });
  await assert.rejects(client.directory(), { code: "network" });
});
