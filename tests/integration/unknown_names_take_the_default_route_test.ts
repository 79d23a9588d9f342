/**
 * A listener resets names that it does not know, unless its operator has written a default route.
 */
import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { CLIENTS, startHttpBackend, startL7 } from "../support/l7.ts";
import { buildClientHello } from "../support/hello.ts";
import { startPlane } from "../support/plane.ts";
import { startAdmin } from "../support/admin.ts";
import { runCtl } from "../support/mcproxyctl.ts";

const GARBAGE = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");

Deno.test("an l4 default route takes every other name and clients without one, and nothing that is no TLS", async () => {
  await using own = await startEchoBackend();
  await using rest = await startEchoBackend();
  await using plane = await startPlane({
    routes: [
      { hostname: "a.test", backend: own.address },
      { hostname: "*.wild.test", backend: own.address },
      { hostname: "*", isDefault: true, backend: rest.address },
    ],
  });
  const expected = [
    [{ serverName: "a.test" }, "a.test"],
    [{ serverName: "x.wild.test" }, "*.wild.test"],
    [{ serverName: "wild.test" }, "*"],
    [{ serverName: "unknown.test" }, "*"],
    [{}, "*"],
  ] as const;
  for (const [i, [options, route]] of expected.entries()) {
    const hello = buildClientHello(options);
    await using client = await connectRaw({ port: plane.port });
    client.end(hello);
    assert.deepEqual(new Uint8Array((await client.readToEnd()).bytes), hello);
    const event = await plane.event(i);
    assert.deepEqual([event.outcome, event.route], ["relayed", route]);
  }
  await using client = await connectRaw({ port: plane.port });
  await client.write(GARBAGE);
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event(expected.length)).outcome, "hello_invalid");
});

Deno.test("an l7 default route serves names that no other is for, and resets who names nobody", async () => {
  await using named = await startHttpBackend("http1", (_, response) => response.end("named"));
  await using rest = await startHttpBackend("http1", (_, response) => response.end("rest"));
  for (const hostname of ["*", "home.test"]) {
    await using proxy = await startL7({
      backend: named.address,
      moreRoutes: [{ hostname, isDefault: true, mode: "l7", backend: rest.address }],
    });
    for (const front of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
      // What the test's certificate names, and no route does.
      await using client = await CLIENTS[front]({ port: proxy.port, serverName: "b.test" });
      assert.equal((await client.ask({ authority: "b.test" })).body, "rest");
      assert.equal((await client.ask({ authority: "other.test" })).body, "rest");
      // A route of its own is another one, whose rules a reused connection must not pass by.
      assert.equal((await client.ask({ authority: "a.test" })).status, 421);
    }
    await using raw = await connectRaw({ port: proxy.port });
    await raw.write(buildClientHello({}));
    const { ending, bytes } = await raw.readToEnd();
    assert.deepEqual([ending, bytes.length], ["reset", 0]);
  }
});

Deno.test("a default route comes and goes, is the only one, and is explained", async () => {
  await using backend = await startEchoBackend();
  await using admin = await startAdmin();
  const { client, addr, port } = admin;
  const route = { hostname: "*", default: true, backend: backend.address };
  const isTaken = async (options: Parameters<typeof buildClientHello>[0]) => {
    await using peer = await connectRaw({ port });
    peer.end(buildClientHello(options));
    return (await peer.readToEnd()).ending !== "reset";
  };
  assert.equal(await isTaken({ serverName: "x.test" }), false);
  await client.addRoute({ listenerAddr: addr, ...route });
  assert.equal(await isTaken({ serverName: "x.test" }), true);
  const second = { listenerAddr: addr, hostname: "b.test", backend: backend.address };
  await assert.rejects(client.addRoute({ ...second, default: true }), /default/);
  await client.addRoute(second);
  await assert.rejects(
    client.updateRoute({
      listenerAddr: addr,
      route: { hostname: "b.test", default: true },
      updateMask: { paths: ["default"] },
    }),
    /the default route of .* is \*/,
  );
  const explain = async (sni: string) =>
    (await client.explain({ clientIp: "192.0.2.1", listenerAddr: addr, sni })).steps.at(-1);
  assert.match(await explain("x.test") ?? "", /the default route \* takes x\.test/);
  assert.match(await explain("") ?? "", /the default route \* takes a client that names nobody/);
  assert.match(await explain("b.test") ?? "", /the exact name takes b\.test/);
  // Through apply, from one route to the other at once.
  const { stdout: before } = await runCtl(admin, ["export"]);
  assert.match(before, /default = true/);
  const moved = before.replaceAll(/^default = true\n/gm, "")
    .replace(/hostname = "\*"[^[]*/, "")
    .replace('hostname = "b.test"', 'hostname = "b.test"\ndefault = true')
    .replace(/\[\[listeners\.routes\]\]\s*(?=\[|$)/, "");
  const applied = await runCtl(admin, ["apply", "-f", "-"], moved);
  assert.equal(applied.code, 0, applied.stderr);
  assert.match(await explain("x.test") ?? "", /the default route b\.test takes x\.test/);
  await client.removeRoute({ listenerAddr: addr, hostname: "b.test" });
  assert.equal(await isTaken({ serverName: "x.test" }), false);
  assert.equal(await isTaken({}), false);
});
