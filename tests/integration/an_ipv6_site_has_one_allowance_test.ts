import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { proxyV1 } from "../support/proxy_header.ts";
import { startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });

Deno.test("the rate limit counts networks and sites of IPv6, over all workers", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startProxy({
    config: {
      listeners: [{
        addr: "127.0.0.1:0",
        proxy_protocol: true,
        routes: [{ hostname: "a.test", backend: backend.address }],
      }],
      server: { workers: 2 },
      firewall: { rate_limit: 4, rate_window: "24h", ipv6_prefix: 56, ipv6_site_factor: 3 },
    },
  });
  /** How many of so many connections that claim these addresses are relayed. */
  const relayed = async (count: number, address: (i: number) => string) => {
    let done = 0;
    for (let i = 0; i < count; i++) {
      await using peer = await connectRaw({ port: proxy.port() });
      peer.socket.write(Buffer.concat([proxyV1(address(i), "2001:db8::1"), hello]));
      if (await peer.read(hello.length).then(() => true, () => false)) done++;
    }
    return done;
  };
  assert.equal(await relayed(8, (i) => `2001:db8:1::${i + 1}`), 4, "addresses of one /64");
  assert.equal(await relayed(3, (i) => `2001:db8:1:f${i}::1`), 0, "other /64 of the same /56");
  assert.equal(await relayed(4, () => "2001:db8:1:100::1"), 4, "another /56 of the same /48");
  assert.equal(await relayed(20, (i) => `2001:db8:1:${i + 2}00::1`), 4, "twelve for a /48");
  assert.equal(await relayed(2, (i) => `2001:db8:2:${i + 1}00::1`), 2, "another /48");
  await proxy.outcome("rate_limited", 20);
});
