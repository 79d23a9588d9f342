import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import {
  DownstreamConnection,
  type DownstreamServices,
} from "../../../lib/l7/downstream_connection.ts";
import { FieldRules } from "../../../lib/l7/field_rules.ts";
import { DEFAULT_HTTP_LIMITS } from "../../../lib/l7/http_limits.ts";
import type { BackendConnection, DownstreamStream } from "../../../lib/l7/message.ts";
import { Deadlines } from "../../../lib/relay/mod.ts";
import type { Upstream } from "../../../lib/upstream/mod.ts";
import { routeOf } from "../../support/plane.ts";

const ip = parseIp("192.0.2.1");
assert.ok(ip.ok);
const address = { ip: ip.value, port: 1 };

/** A client of one route that has asked once, and what was said to the backend's pool. */
function asked(sendProxyProtocol: boolean, method = "GET") {
  const said: string[] = [];
  const forgotten: object[] = [];
  const statuses: number[] = [];
  const upstream: Upstream<BackendConnection> = {
    acquire: () => void said.push("acquire"),
    cancel: () => void said.push("cancel"),
    forget(affinity) {
      said.push("forget");
      forgotten.push(affinity);
    },
  };
  const route = routeOf({ hostname: "a.test", backend: "b:1", mode: "l7", sendProxyProtocol });
  const services: DownstreamServices = {
    idle: new Deadlines(60_000, { now: () => 0, wallNow: () => 0, every: () => () => {} }),
    now: () => 0,
    upstreamFor: () => upstream,
    idleOf: (ms) => new Deadlines(ms),
    planFor: () => ({ steps: [] }),
    rules: new FieldRules(),
    limits: DEFAULT_HTTP_LIMITS,
    requests: { record: () => {} },
    onRequest: undefined,
    onCrash: (_request, error) => assert.fail(`${error}`),
  };
  const connection = new DownstreamConnection({
    id: "x",
    client: address,
    clientText: "192.0.2.1:1",
    clientIp: "192.0.2.1",
    destination: address,
    route,
    currentRoute: () => route,
    matchRoute: () => route,
  }, services);
  const front = {
    respond: ({ status }: { readonly status: number }) => void statuses.push(status),
    sendData: () => true,
    sendTrailers: () => {},
    consume: () => {},
    reset: () => {},
  } as unknown as DownstreamStream;
  const exchange = connection.begin(front, {
    head: {
      method,
      scheme: "https",
      authority: "a.test",
      path: "/",
      protocol: "",
      fields: [],
      contentLength: -1,
    },
    endStream: true,
    protocol: "h2",
  });
  connection.route(exchange);
  return { connection, said, forgotten, statuses };
}

Deno.test("connections that were opened for a client alone are given up when it leaves, once", () => {
  const { connection, said, forgotten } = asked(true);
  assert.deepEqual(said, ["acquire"]);
  connection.close("it left");
  assert.deepEqual(said, ["acquire", "cancel", "forget"]);
  assert.equal(forgotten[0], connection);
  connection.close("again");
  assert.equal(forgotten.length, 1);
});

Deno.test("connections that are shared stay when a client leaves", () => {
  const { connection, said } = asked(false);
  connection.close("it left");
  assert.deepEqual(said, ["acquire", "cancel"]);
});

Deno.test("the preface's method and CONNECT are answered 501 and ask no backend", () => {
  for (const method of ["PRI", "CONNECT"]) {
    const { said, statuses } = asked(false, method);
    assert.deepEqual([said, statuses], [[], [501]]);
  }
});
