import assert from "node:assert/strict";
import { encodeQuery, TYPE } from "../../../lib/dns/mod.ts";
import { DnsCounters, Responder, UdpServer } from "../../../lib/dns_server/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { servingSettings } from "../../support/served_zones.ts";

/** A socket that gets datagrams from wherever a test says, as nobody can send them from there. */
class FakeSocket {
  readonly addr: Deno.NetAddr = { transport: "udp", hostname: "192.0.2.53", port: 53 };
  readonly sent: Deno.Addr[] = [];
  readonly #datagrams: (readonly [Uint8Array, Deno.NetAddr])[];
  readonly #ended = Promise.withResolvers<never>();
  readonly drained = Promise.withResolvers<void>();

  constructor(datagrams: readonly (readonly [Uint8Array, Deno.NetAddr])[]) {
    this.#datagrams = [...datagrams];
  }

  receive(): Promise<readonly [Uint8Array, Deno.NetAddr]> {
    const next = this.#datagrams.shift();
    if (next !== undefined) return Promise.resolve(next);
    this.drained.resolve();
    return this.#ended.promise;
  }

  send(octets: Uint8Array, to: Deno.Addr): Promise<number> {
    this.sent.push(to);
    return Promise.resolve(octets.length);
  }

  close(): void {
    this.#ended.reject(new Deno.errors.BadResource("closed"));
  }
}

Deno.test("a datagram from our own address and port gets no answer, as it would be to ourselves", async () => {
  const query = encodeQuery({ id: 1, name: nameOf("www.example.net"), type: TYPE.A });
  const from = (hostname: string, port: number): Deno.NetAddr => {
    return { transport: "udp", hostname, port };
  };
  const socket = new FakeSocket([
    [query, from("192.0.2.53", 53)],
    [query, from("192.0.2.53", 5353)],
    [query, from("192.0.2.54", 53)],
    [query, from("192.0.2.54", 7)],
  ]);
  const { listenDatagram } = Deno;
  const counters = new DnsCounters();
  const failures: unknown[] = [];
  const responder = new Responder({
    ...{ settings: servingSettings(), counters },
    onFault: (error) => failures.push(error),
  });
  Object.defineProperty(Deno, "listenDatagram", { value: () => socket, configurable: true });
  try {
    const server = new UdpServer({
      ...{ host: "192.0.2.53", port: 53, responder, counters },
      onFailure: (error) => failures.push(error),
    });
    server.serve();
    await socket.drained.promise;
    await server.close();
  } finally {
    Object.defineProperty(Deno, "listenDatagram", { value: listenDatagram, configurable: true });
  }
  assert.deepEqual(socket.sent, [from("192.0.2.53", 5353), from("192.0.2.54", 53)]);
  assert.deepEqual([counters.get("ignored"), failures], [2, []]);
});
