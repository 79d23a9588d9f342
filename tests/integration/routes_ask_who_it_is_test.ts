/** Passwords that routes ask for, with real clients and hostile ones. */
import assert from "node:assert/strict";
import { hashPassword } from "../../lib/cli/hash_password.ts";
import { testWithCommands } from "../support/commands.ts";
import { curl, CURL_VERSIONS } from "../support/curl.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { CLIENTS, seenValues, startL7, startSeeingBackend } from "../support/l7.ts";
import { ROOT } from "../support/module_graph.ts";
import { runCommand } from "../support/commands.ts";

const PASSWORD = "p:ässword";

const encode = (text: string) => new TextEncoder().encode(text);

let made: Promise<string> | undefined;

const hash = () => made ??= hashPassword(encode(PASSWORD));

const users = async () => [{ name: "alice", hash: await hash() }];

const basic = (name: string, password: string) => ({
  authorization: `Basic ${btoa(String.fromCharCode(...encode(`${name}:${password}`)))}`,
});

for (const version of CURL_VERSIONS) {
  testWithCommands(
    ["curl"],
    `curl ${version} passes with its password, and the backend does not hear it`,
    async () => {
      await using backend = await startSeeingBackend();
      await using proxy = await startL7({
        backend: backend.address,
        route: { basicAuth: { realm: "staff", forward: false, users: await users() } },
      });
      const right = await curl(proxy, version, "-u", `alice:${PASSWORD}`);
      assert.deepEqual([right.status, right.body], [200, "ok"]);
      for (
        const [user, why] of [[`alice:x`, "wrong"], [`bob:${PASSWORD}`, "unknown"], [
          "alice:",
          "empty",
        ]] as const
      ) {
        const { status, fields } = await curl(proxy, version, "-u", user);
        assert.equal(status, 401, why);
        assert.equal(fields.get("www-authenticate"), 'Basic realm="staff", charset="UTF-8"');
      }
      assert.equal((await curl(proxy, version)).status, 401, "nothing");
      assert.equal(backend.seen.length, 1);
      const [seen] = backend.seen;
      assert.deepEqual(seen && seenValues(seen, "authorization"), []);
      // The log says neither name nor password.
      const logged = JSON.stringify([proxy.requests, proxy.logs, proxy.events]);
      assert.equal(/alice|ässword|\$scrypt/.test(logged), false);
    },
  );
}

Deno.test("with forward = true the backend gets name and password, and odd ones are nobody's", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({
    backend: backend.address,
    route: { basicAuth: { realm: "r", forward: true, users: await users() } },
  });
  await using client = await CLIENTS["h2"](proxy);
  const headers = basic("alice", PASSWORD);
  assert.equal((await client.ask({ headers })).status, 200);
  const [seen] = backend.seen;
  assert.deepEqual(seen && seenValues(seen, "authorization"), [headers.authorization]);
  for (
    const authorization of [
      "Basic",
      "Basic !!!!",
      `Basic ${btoa("alice")}`,
      "Bearer x",
      `Basic ${btoa("\xff:x")}`,
      "Basic ".padEnd(2000, "A"),
    ]
  ) {
    assert.equal((await client.ask({ headers: { authorization } })).status, 401, authorization);
  }
  using wire = await Wire.connect(proxy);
  const twice = [`Authorization: ${headers.authorization}`, "Authorization: Basic eDp4"];
  for (const fields of [twice, twice.toReversed()]) {
    await wire.send(requestText("GET", "/", { fields }));
    assert.equal((await wire.answer()).status, 401, "two of them");
  }
});

Deno.test("a name that there is not takes the same path as a wrong password, and guessing ends in 429", async () => {
  await using proxy = await startL7({
    backend: "",
    route: {
      basicAuth: { realm: "r", forward: false, users: await users() },
      respond: { status: 200, body: "in", contentType: "text/plain" },
    },
  });
  await using client = await CLIENTS["h2"](proxy);
  assert.equal((await client.ask({ headers: basic("alice", PASSWORD) })).body, "in");
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++) {
    const name = i % 2 === 0 ? "alice" : "nobody";
    statuses.push((await client.ask({ headers: basic(name, `guess ${i}`) })).status);
  }
  assert.deepEqual(statuses, [...Array(10).fill(401), 429, 429]);
  const { headers } = await client.ask({ headers: basic("alice", "again") });
  assert.ok(Number(headers["retry-after"]) >= 1);
  // Who was right a while ago is not asked again, however many guess from his address.
  assert.equal((await client.ask({ headers: basic("alice", PASSWORD) })).body, "in");
  // And others may guess.
  await using other = await CLIENTS["h2"]({ port: proxy.port, localAddress: "127.0.0.8" });
  assert.equal((await other.ask({ headers: basic("nobody", "x") })).status, 401);
  // gRPC hears UNAUTHENTICATED.
  const grpc = await other.ask({ method: "POST", headers: { "content-type": "application/grpc" } });
  assert.equal(grpc.headers["grpc-status"], "16");
});

Deno.test("mc-proxy hash-password reads a line from stdin and writes a hash that opens the door", async () => {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-env",
      "--allow-read",
      "--allow-sys",
      "--config",
      `${ROOT}/deno.json`,
      `${ROOT}/main.ts`,
      "hash-password",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(encode(`${PASSWORD}\r\nsecond line\n`));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const text = new TextDecoder().decode(stdout).trim();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.match(text, /^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  await using proxy = await startL7({
    backend: "",
    route: {
      basicAuth: { realm: "r", forward: false, users: [{ name: "a", hash: text }] },
      respond: { status: 200, body: "in", contentType: "text/plain" },
    },
  });
  await using client = await CLIENTS["http/1.1"](proxy);
  assert.equal((await client.ask({ headers: basic("a", PASSWORD) })).status, 200);
  const { code: refused } = await runCommand(Deno.execPath(), [
    "run",
    "-A",
    "--config",
    `${ROOT}/deno.json`,
    `${ROOT}/main.ts`,
    "hash-password",
    "secret",
  ]);
  assert.notEqual(refused, 0, "never from the command line");
});
