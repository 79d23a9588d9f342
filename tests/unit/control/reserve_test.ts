import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import { refuseSharedPorts } from "../../../lib/control/binding.ts";
import { tryToReserve } from "../../../lib/tcp/mod.ts";
import { listenerOf } from "../../support/plane.ts";
import { unusedPort } from "../../support/ports.ts";

for (const host of ["127.0.0.1", "0.0.0.0", "::", "::1"]) {
  Deno.test(`tryToReserve() binds ${host} for a moment, and nobody is accepted there`, async () => {
    const port = await unusedPort();
    for (let i = 0; i < 3; i++) assert.equal(tryToReserve(host, port), port);
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.1", port }),
      Deno.errors.ConnectionRefused,
    );
    assert((tryToReserve(host, 0) ?? 0) > 0);
  });

  Deno.test(`tryToReserve() tells that the port is in use on ${host}, also by one who would share it`, async () => {
    const server = net.createServer();
    const listened = once(server, "listening");
    server.listen({ host: host === "0.0.0.0" ? "127.0.0.1" : host, port: 0, reusePort: true });
    await listened;
    const { port } = server.address() as net.AddressInfo;
    assert.throws(() => tryToReserve(host, port), { code: "EADDRINUSE" });
    const closed = once(server, "close");
    server.close();
    await closed;
    assert.equal(tryToReserve(host, port), port);
  });
}

Deno.test("tryToReserve() tells that this machine does not have an address", () => {
  assert.throws(() => tryToReserve("192.0.2.1", 0), { code: /EADDRNOTAVAIL|EINVAL/ });
});

Deno.test("refuseSharedPorts() does not listen at the address that it tries", async () => {
  const listener = listenerOf(await unusedPort());
  const listened: unknown[] = [];
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (this: net.Server, ...rest: unknown[]) {
    listened.push(rest);
    return Reflect.apply(listen, this, rest);
  } as typeof listen;
  try {
    await refuseSharedPorts([listener]);
  } finally {
    net.Server.prototype.listen = listen;
  }
  assert.deepEqual(listened, []);
});
