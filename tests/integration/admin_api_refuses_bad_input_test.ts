import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AdminClient, AdminErrorCode } from "../../lib/client/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { withinDeadline } from "../support/deadline.ts";

const route = { listenerAddr: "", hostname: "new.example", backend: "10.0.0.1:443" };

interface Case {
  readonly name: string;
  readonly call: (client: AdminClient, addr: string) => Promise<unknown>;
  readonly code: AdminErrorCode;
  readonly field?: string;
}

/** A case of AddRoute with one field changed. */
function badRoute(
  name: string,
  change: Partial<typeof route & { mode: string }>,
  field: string,
): Case {
  const call = (client: AdminClient, addr: string) =>
    client.addRoute({ ...route, listenerAddr: addr, ...change });
  return { name: `a route with ${name}`, call, code: "invalid_argument", field };
}

function badRule(name: string, rule: Record<string, unknown>, field: string): Case {
  const call = (client: AdminClient) =>
    client.addFirewallRule({ type: "ip", value: "192.0.2.9", ...rule });
  return { name: `a rule with ${name}`, call, code: "invalid_argument", field };
}

const CASES: readonly Case[] = [
  badRoute("no hostname", { hostname: "" }, "hostname"),
  badRoute("a hostname with a space", { hostname: "a b" }, "hostname"),
  badRoute("a hostname that is an address", { hostname: "192.0.2.1" }, "hostname"),
  badRoute("a wildcard in the middle", { hostname: "a.*.example" }, "hostname"),
  badRoute("a long hostname", { hostname: `${"a".repeat(64)}.example` }, "hostname"),
  badRoute("no backend", { backend: "" }, "backend"),
  badRoute("a backend without a port", { backend: "10.0.0.1" }, "backend"),
  badRoute("a port that is out of range", { backend: "10.0.0.1:65536" }, "backend"),
  badRoute("an unknown mode", { mode: "l5" }, "mode"),
  badRoute("l7 and no certificate", { mode: "l7" }, "tls_cert"),
  badRoute("no listener", { listenerAddr: "" }, "listener_addr"),
  badRoute("a listener that is no address", { listenerAddr: "x" }, "listener_addr"),
  {
    name: "a route of an unknown listener",
    call: (client) => client.addRoute({ ...route, listenerAddr: ":1" }),
    code: "not_found",
  },
  {
    name: "a route that exists, in another spelling",
    call: (client, addr) =>
      client.addRoute({ ...route, listenerAddr: addr, hostname: "THERE.example." }),
    code: "already_exists",
  },
  {
    name: "an l7 route whose certificate does not exist",
    call: (client, listenerAddr) =>
      client.addRoute({ ...route, listenerAddr, mode: "l7", tlsCert: "/nowhere/a", tlsKey: "/b" }),
    code: "invalid_argument",
    field: "tls_cert",
  },
  {
    name: "the removal of an unknown route",
    call: (client, listenerAddr) => client.removeRoute({ listenerAddr, hostname: "none.example" }),
    code: "not_found",
  },
  {
    name: "an update without a route",
    call: (client, listenerAddr) => client.updateRoute({ listenerAddr }),
    code: "invalid_argument",
    field: "route",
  },
  {
    name: "an update of an unknown route",
    call: (client, listenerAddr) => client.updateRoute({ listenerAddr, route }),
    code: "not_found",
  },
  {
    name: "a listener that exists",
    call: (client, addr) => client.addListener({ addr }),
    code: "already_exists",
  },
  {
    name: "a listener whose port another program has",
    call: (client) => client.addListener({ addr: `127.0.0.1:${occupied.port}` }),
    code: "invalid_argument",
    field: "addr",
  },
  {
    name: "a listener that covers another one",
    call: (client, addr) => client.addListener({ addr: addr.replace("127.0.0.1", "0.0.0.0") }),
    code: "invalid_argument",
    field: "addr",
  },
  {
    name: "a listener on an address that this machine does not have",
    call: (client) => client.addListener({ addr: "192.0.2.1:9" }),
    code: "invalid_argument",
    field: "addr",
  },
  {
    name: "a listener with too many connections",
    call: (client) => client.addListener({ addr: "127.0.0.1:0", maxConnections: 10_000_001 }),
    code: "invalid_argument",
    field: "max_connections",
  },
  {
    name: "a listener with an odd trusted proxy",
    call: (client) =>
      client.addListener({ addr: "127.0.0.1:0", trustedProxies: ["10.0.0.0/8", "x"] }),
    code: "invalid_argument",
    field: "trusted_proxies[1]",
  },
  badRule("no type", { type: "" }, "type"),
  badRule("an unknown type", { type: "asn" }, "type"),
  badRule("an odd address", { value: "192.0.2" }, "value"),
  badRule("host bits", { type: "cidr", value: "10.0.0.1/8" }, "value"),
  badRule("a country and no GeoIP database", { type: "country", value: "DE" }, "type"),
  badRule("a life that is too short", { ttl: durationFromMs(999) }, "ttl"),
  badRule("a negative life", { ttl: durationFromMs(-5000) }, "ttl"),
  badRule("a life without end", { ttl: { seconds: 315_576_000_000n, nanos: 0 } }, "ttl"),
  badRule("a long reason", { reason: "x".repeat(257) }, "reason"),
  badRule("a reason of two lines", { reason: "a\nb" }, "reason"),
  {
    name: "the removal of an unknown rule",
    call: (client) => client.removeFirewallRule({ id: 99n }),
    code: "not_found",
  },
  {
    name: "no rate limit",
    call: (client) => client.setRateLimit({}),
    code: "invalid_argument",
    field: "rate_limit",
  },
  {
    name: "a rate limit without a window",
    call: (client) => client.setRateLimit({ rateLimit: { limit: 5 } }),
    code: "invalid_argument",
    field: "rate_limit.window",
  },
  {
    name: "a rate limit that is too high",
    call: (client) =>
      client.setRateLimit({ rateLimit: { limit: 65_536, window: durationFromMs(1000) } }),
    code: "invalid_argument",
    field: "rate_limit.limit",
  },
  {
    name: "a policy of an l4 route",
    call: (client, listenerAddr) =>
      client.addL7Policy({
        listenerAddr,
        hostname: "there.example",
        policy: { type: "block_user_agent", value: "bot" },
      }),
    code: "invalid_argument",
    field: "hostname",
  },
  {
    name: "a policy that requires no header name",
    call: (client, listenerAddr) =>
      client.addL7Policy({
        listenerAddr,
        hostname: "there.example",
        policy: { type: "require_header", value: "a b" },
      }),
    code: "invalid_argument",
    field: "policy.value",
  },
  {
    name: "a state without listeners",
    call: (client) => client.apply({ state: { listeners: { listeners: [] } } }),
    code: "invalid_argument",
    field: "state.listeners",
  },
  {
    name: "a state with a hostname twice",
    call: (client, addr) =>
      client.apply({
        state: {
          listeners: {
            listeners: [{
              listener: { addr },
              routes: [
                { route: { hostname: "a.example", backend: "b:1" } },
                { route: { hostname: "A.EXAMPLE", backend: "b:1" } },
              ],
            }],
          },
        },
      }),
    code: "invalid_argument",
    field: "state.listeners[0].routes[1].route.hostname",
  },
  {
    name: "a state with a rule that is none",
    call: (client) =>
      client.apply({
        state: {
          firewall: { rules: [{ type: "ip", value: "x", expiresAt: timestampFromMs(9e12) }] },
        },
      }),
    code: "invalid_argument",
    field: "state.firewall.rules[0].value",
  },
  {
    name: "a question without an address",
    call: (client, listenerAddr) => client.explain({ listenerAddr, sni: "a.example" }),
    code: "invalid_argument",
    field: "client_ip",
  },
  {
    name: "too many connections at once",
    call: (client) => client.listConnections({ limit: 10_001 }),
    code: "invalid_argument",
    field: "limit",
  },
  {
    name: "an interval that is too short",
    call: (client) => client.watchStatus({ interval: durationFromMs(1) }).next(),
    code: "invalid_argument",
    field: "interval",
  },
];

const occupied = { port: 0 };

Deno.test("every refusal names its code and field, and changes nothing", async (t) => {
  await using admin = await startAdmin();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  occupied.port = taken.addr.port;
  await admin.client.addRoute({
    listenerAddr: admin.addr,
    hostname: "there.example",
    backend: "10.0.0.1:443",
  });
  const before = await admin.client.exportState({});
  for (const { name, call, code, field } of CASES) {
    await t.step(name, async () => {
      await assert.rejects(call(admin.client, admin.addr), (error) => {
        const { code: found, field: at } = error as { code: string; field?: string };
        assert.deepEqual([found, at], [code, field], String(error));
        return true;
      });
    });
  }
  assert.deepEqual(await admin.client.exportState({}), before);
});

/** Sends octets as the request of a method; the status code. */
async function send(socketPath: string, method: string, octets: Uint8Array): Promise<number> {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  const { promise, resolve } = Promise.withResolvers<number>();
  client.makeUnaryRequest(
    `/mc_proxy.v1.ProxyAdminService/${method}`,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes) => bytes,
    octets,
    new Metadata(),
    { deadline: Date.now() + 10_000 },
    (error) => resolve(error?.code ?? 0),
  );
  try {
    return await promise;
  } finally {
    client.close();
  }
}

Deno.test("malformed and oversized messages are refused and leave the server unharmed", async () => {
  await using admin = await startAdmin();
  const { socketPath } = admin;
  // Field 2, length-delimited, of ten octets that are not there.
  assert.equal(await send(socketPath, "AddRoute", Uint8Array.of(0x12, 0x0a)), 3);
  assert.equal(await send(socketPath, "AddRoute", crypto.getRandomValues(new Uint8Array(64))), 3);
  // A string that is not UTF-8.
  assert.equal(await send(socketPath, "AddRoute", Uint8Array.of(0x12, 2, 0xff, 0xfe)), 3);
  assert.equal(await send(socketPath, "AddRoute", new Uint8Array(17 * 1024 * 1024)), 8);
  assert.equal(await send(socketPath, "NoSuchMethod", new Uint8Array()), 12);
  assert.equal(await admin.client.healthy(), true);
});

Deno.test("what is not HTTP/2 is disconnected and leaves the server unharmed", async () => {
  await using admin = await startAdmin();
  for (
    const octets of [
      "GET / HTTP/1.1\r\n\r\n",
      "\0".repeat(5000),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
  ) {
    const socket = connect(admin.socketPath);
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.end(octets);
    socket.resume();
    await withinDeadline(closed, "the server closes the connection");
  }
  assert.equal(await admin.client.healthy(), true);
});

Deno.test("a failure inside tells the caller nothing but that there was one", async () => {
  await using admin = await startAdmin({
    compile: () => {
      throw new Error("secret /srv/path");
    },
  });
  admin.expectedErrors.push("admin call failed");
  await assert.rejects(
    admin.client.addRoute({ ...route, listenerAddr: admin.addr }),
    { code: "internal", message: "internal error; the proxy's log says more" },
  );
  const [logged] = admin.logs.filter(({ message }) => message === "admin call failed");
  assert.match(String(logged?.fields?.error), /secret/);
});
