import assert from "node:assert/strict";
import { eventually } from "../support/deadline.ts";
import { CLIENTS, HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";

const FRONTS = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];

/** The lines about what must not happen; taken, so that the plane does not complain of them. */
function takeErrors(proxy: TestPlane): Record<string, unknown>[] {
  const errors = proxy.logs.filter(({ level }) => level === "error");
  proxy.logs.length = 0;
  return errors.map(({ message, fields }) => ({ message, ...fields }));
}

for (const front of FRONTS) {
  Deno.test(`a step that throws is a 502 over ${front}, logged with the request's id`, async () => {
    // The control plane lets no such backend through; here it throws where it is first looked at.
    await using proxy = await startL7({ backend: "not an endpoint" });
    await using client = await CLIENTS[front](proxy);
    assert.equal((await client.ask()).status, 502);
    assert.equal((await client.ask({ method: "POST", body: "x" })).status, 502);
    const { request, status, reason } = await proxy.request(1);
    assert.equal(status, 502);
    assert.match(reason ?? "", /^internal_error: backend of a\.test/);
    const [, second] = takeErrors(proxy);
    assert.equal(second?.message, "request failed unexpectedly");
    assert.deepEqual([second?.request, second?.outcome], [request, "internal_error"]);
    assert.equal(proxy.active, 1, "the connection goes on");
  });

  Deno.test(`an end that throws costs no other request and no connection over ${front}`, async () => {
    await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
    });
    await using client = await CLIENTS[front](proxy);
    const push = proxy.requests.push;
    proxy.requests.push = () => {
      throw new Error("the access log is broken");
    };
    for (let i = 0; i < 3; i++) assert.equal((await client.ask()).body, "ok");
    const errors = takeErrors(proxy);
    assert.equal(errors.length, 3);
    assert.match(String(errors[0]?.error), /the access log is broken/);
    proxy.requests.push = push;
    assert.equal((await client.ask()).body, "ok");
    assert.equal(proxy.requests.length, 1);
    assert.equal(backend.connections, 1, "the backend's connection is not lost either");
    assert.equal(proxy.active, 1);
  });

  Deno.test(`a listener that throws at each request's route ends those requests over ${front}`, async () => {
    await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
    let broken = true;
    const route = {
      get backendTls(): boolean {
        if (broken) throw new Error("a broken route");
        return false;
      },
    };
    await using proxy = await startL7({ backend: backend.address });
    await proxy.plane.apply([{
      kind: "routes",
      listenerId: 1,
      remove: [],
      set: [
        Object.defineProperties(
          { ...proxy.snapshot.listeners[0]?.routes[0] },
          Object.getOwnPropertyDescriptors(route),
        ) as never,
      ],
    }]);
    await using client = await CLIENTS[front]({ port: proxy.port, serverName: HOST });
    assert.equal((await client.ask()).status, 502);
    broken = false;
    await eventually(async () => (await client.ask()).body === "ok", "the next ones are served");
    assert.ok(takeErrors(proxy).length > 0);
    assert.equal(proxy.active, 1);
  });
}
