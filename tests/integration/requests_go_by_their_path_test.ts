/** Paths of an l7 route: what is matched is what is sent, and nothing passes by a rule. */
import assert from "node:assert/strict";
import { hashPassword } from "../../lib/cli/hash_password.ts";
import { startAdmin } from "../support/admin.ts";
import { testWithCommands } from "../support/commands.ts";
import { curl, CURL_VERSIONS } from "../support/curl.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { CLIENTS, HOST, startHttpBackend, startL7, startSeeingBackend } from "../support/l7.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const GONE = { status: 410, body: "gone", contentType: "text/plain" };

for (const version of CURL_VERSIONS) {
  testWithCommands(
    ["curl"],
    `curl ${version} is led by the path, and the backend gets it as it came`,
    async () => {
      await using api = await startSeeingBackend();
      await using v1 = await startHttpBackend(
        "http1",
        (request, response) => response.end(`v1 ${request.url}`),
      );
      await using rest = await startHttpBackend(
        "http1",
        (request, response) => response.end(`rest ${request.url}`),
      );
      await using proxy = await startL7({
        backend: rest.address,
        route: {
          paths: [
            { prefix: "/api", backend: api.address },
            { prefix: "/api/v1", backend: v1.address },
            { exact: "/api/v1", respond: GONE },
          ],
        },
      });
      for (
        const [path, body] of [
          ["/", "rest /"],
          ["/apix", "rest /apix"],
          ["/api/v1/a%20b?q=%2f;../", "v1 /api/v1/a%20b?q=%2f;../"],
          ["/%61pi/v1/x", "v1 /%61pi/v1/x"],
          ["/api/v1", "gone"],
        ] as const
      ) {
        assert.equal((await curl({ port: proxy.port, path }, version)).body, body, path);
      }
      assert.equal(
        (await curl({ port: proxy.port, path: "/api?x=1" }, version, "-d", "content")).body,
        "ok",
      );
      assert.deepEqual(api.seen.map(({ method, path, body }) => [method, path, body]), [[
        "POST",
        "/api?x=1",
        "content",
      ]]);
      for (
        const path of [
          "/api/../x",
          "/api/%2e%2e/x",
          "/api%2fv1",
          "/api;x",
          "//api",
          "/api/%c0%af",
          "/%2561pi",
        ]
      ) {
        assert.equal((await curl({ port: proxy.port, path }, version)).status, 400, path);
      }
      const events = proxy.requests.filter(({ backend }) => backend === v1.address);
      assert.equal(events.length, 2, "the log names the backend of the path");
    },
  );
}

Deno.test("a route without paths passes on what a route with paths refuses", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  for (const path of ["/a/../b", "/a%2fb", "//a", "/a;b"]) {
    await wire.send(requestText("GET", path));
    assert.equal((await wire.answer()).status, 200);
  }
  assert.deepEqual(backend.seen.map(({ path }) => path), ["/a/../b", "/a%2fb", "//a", "/a;b"]);
});

Deno.test("without a backend what no path is for is 404", async () => {
  await using proxy = await startL7({
    backend: "",
    route: { paths: [{ prefix: "/a", respond: GONE }] },
  });
  for (const front of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
    await using client = await CLIENTS[front](proxy);
    assert.deepEqual((await client.ask({ path: "/a/b" })).status, 410);
    assert.deepEqual((await client.ask({ path: "/b" })).status, 404);
    assert.deepEqual((await client.ask({ method: "OPTIONS", path: "*" })).status, 404);
  }
});

Deno.test("no spelling of a path gets past authentication by way of one that needs none", async () => {
  await using backend = await startSeeingBackend();
  const users = [{ name: "a", hash: await hashPassword(new TextEncoder().encode("p")) }];
  await using proxy = await startL7({
    backend: backend.address,
    route: {
      basicAuth: { realm: "r", forward: false, users },
      paths: [{ prefix: "/public", skipAuth: true }, { exact: "/healthz", skipAuth: true }],
    },
  });
  using wire = await Wire.connect(proxy);
  await using h2 = await RawHttp2Client.connect(proxy.port);
  let stream = 1;
  const ask = async (path: string) => {
    await wire.send(requestText("GET", path));
    const { status } = await wire.answer();
    const id = stream;
    stream += 2;
    await h2.write(
      h2.headers(
        id,
        [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", path],
        true,
      ),
    );
    assert.equal(await h2.answer(id), String(status), path);
    return status;
  };
  for (const path of ["/public", "/public/x", "/healthz", "/%70ublic/x", "/public/x?y=/../z"]) {
    assert.equal(await ask(path), 200, path);
  }
  for (
    const path of [
      "/",
      "/secret",
      "/publicx",
      "/PUBLIC/x",
      "/healthz/",
      "/healthz/x",
      "/public/../secret",
      "/public/%2e%2e/secret",
      "/public/..%2fsecret",
      "/public/..;/secret",
      "/public\\..\\secret",
      "//public/x",
      "/public//x",
      "/public/%252e%252e/secret",
      "/public/.%2e/secret",
      "/./public",
      "/public;/../secret",
      "/public%00/x",
      "/public/%c0%ae%c0%ae/secret",
      "/public%2f..%2fsecret",
    ]
  ) {
    const status = await ask(path);
    assert.ok(status === 401 || status === 400, `${path}: ${status}`);
  }
  assert.ok(backend.seen.every(({ path }) => /^\/(?:%70|p)ublic|^\/healthz$/.test(path)));
});

Deno.test("explain takes a path, and says what a request would meet", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr, folder } = admin;
  const { identity } = await import("../support/l7.ts");
  const { certPem, keyPem } = await identity();
  const [tlsCert, tlsKey] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  await Deno.writeTextFile(tlsCert, certPem);
  await Deno.writeTextFile(tlsKey, keyPem);
  const route = { hostname: HOST, backend: "10.0.0.1:80", mode: "l7", tlsCert, tlsKey };
  const { code, stderr } = await runCtl(admin, [
    ...["routes", "add", listenerAddr, HOST, "10.0.0.1:80", "--mode", "l7", "--tls-cert", tlsCert],
    ...["--tls-key", tlsKey, "--paths", "prefix=/api,backend=10.0.0.2:80"],
    ...["--paths", '{"exact":"/old","respond":{"status":410}}'],
    ...["--forward-auth", "url=http://10.0.0.9/verify"],
    ...["--paths", "prefix=/hook,skip_auth"],
  ]);
  assert.equal(code, 0, stderr);
  const explain = async (path: string) =>
    (await runCtl(admin, ["explain", "192.0.2.1", listenerAddr, HOST, path])).stdout;
  assert.match(
    await explain("/api/x"),
    /path: the prefix \/api takes "\/api\/x" to 10\.0\.0\.2:80\n/,
  );
  assert.match(await explain("/old"), /the exact path takes "\/old" and answers 410/);
  const hook = await explain("/hook/1");
  assert.match(hook, /without authentication/);
  assert.doesNotMatch(hook, /forward_auth/);
  assert.match(
    await explain("/x"),
    /none is for "\/x"\n.*forward_auth: http:\/\/10\.0\.0\.9\/verify/,
  );
  assert.match(await explain("/a%2fb"), /is answered 400/);
  await assert.rejects(
    client.addRoute({
      listenerAddr,
      ...route,
      hostname: "b.test",
      paths: [{ prefix: "/a", exact: "/b" }],
    }),
    /needs one of prefix and exact/,
  );
  await assert.rejects(
    client.addRoute({
      listenerAddr,
      ...route,
      hostname: "b.test",
      paths: [{ prefix: "/a" }, { prefix: "/a/" }],
    }),
    /repeats prefix \/a/,
  );
});
