import assert from "node:assert/strict";
import { findBindableEndpoint, type TryToBind } from "../../../lib/control/binding.ts";
import { RefusedError } from "../../../lib/control/mod.ts";
import type { ListenerSnapshot } from "../../../lib/plane/mod.ts";

const failure = (code: string) => Object.assign(new Error(code), { code });

function listener(addr: string, host: string, port: number): ListenerSnapshot {
  return {
    id: 1,
    addr,
    host,
    port,
    proxyProtocol: false,
    maxConnections: 0,
    trustedProxies: [],
    routes: [],
    gauge: new SharedArrayBuffer(8),
  };
}

for (const code of ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]) {
  Deno.test(`findBindableEndpoint() takes every IPv4 address where binding to IPv6 fails with ${code}`, async () => {
    const tried: string[] = [];
    const tryToBind: TryToBind = (host, port) => {
      tried.push(host);
      return host === "::" ? Promise.reject(failure(code)) : Promise.resolve(port);
    };
    const endpoint = await findBindableEndpoint(":443", { field: "addr", others: [], tryToBind });
    assert.deepEqual(endpoint, { host: "", port: 443 });
    assert.deepEqual(tried, ["::", "0.0.0.0"]);
  });
}

Deno.test("findBindableEndpoint() does not go over to IPv4 for an address that was named, or a port in use", async () => {
  for (const [addr, code] of [["[::1]:443", "EADDRNOTAVAIL"], [":443", "EADDRINUSE"]] as const) {
    const tryToBind: TryToBind = (host) =>
      Promise.reject(host === "0.0.0.0" ? new Error("tried IPv4") : failure(code));
    await assert.rejects(
      findBindableEndpoint(addr, { field: "addr", others: [], tryToBind }),
      (error) =>
        error instanceof RefusedError && /^addr: (the port is in|this machine)/.test(error.message),
    );
  }
});

Deno.test("findBindableEndpoint() shares a port with listeners that go, and with no other", async () => {
  const shared: boolean[] = [];
  const tryToBind: TryToBind = (_host, port, { reusePort }) => {
    shared.push(reusePort);
    return Promise.resolve(port);
  };
  const old = listener("0.0.0.0:443", "0.0.0.0", 443);
  const ask = (addr: string, leaving: ListenerSnapshot[], others: ListenerSnapshot[] = []) =>
    findBindableEndpoint(addr, { field: "addr", others, leaving, tryToBind });
  await ask("127.0.0.1:443", [old]);
  await ask("127.0.0.1:444", [old]);
  assert.deepEqual(shared, [true, false]);
  await assert.rejects(
    ask("127.0.0.1:443", [], [old]),
    /addr: overlaps the listener 0\.0\.0\.0:443/,
  );
});
