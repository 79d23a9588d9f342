/**
 * What an answer out of the forwarder's cache costs, without sockets: `deno bench bench/dns_forward_bench.ts`.
 *
 * @module
 */
import { ipv4 } from "../lib/addr/mod.ts";
import { encodeQuery, nameFromText, parseMessage } from "../lib/dns/mod.ts";
import { defaultAllowRecursion, Forwarder } from "../lib/dns_forward/mod.ts";

const client = { address: ipv4(0x0a000007), transport: "udp" } as const;

const forwarder = new Forwarder({
  allowRecursion: defaultAllowRecursion(),
  upstreams: [{ hostname: "192.0.2.1", port: 53, isTrusted: false }],
}, {
  // Two addresses for every name.
  transport: ({ query, question }) => {
    const bytes = new Uint8Array(12 + question.name.length + 4 + 2 * 16);
    bytes.set(query.subarray(0, 12 + question.name.length + 4));
    bytes.set([0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0], 2);
    for (let i = 0; i < 2; i++) {
      const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, i];
      bytes.set(record, bytes.length - 16 * (i + 1));
    }
    const message = parseMessage(bytes);
    if (!message.ok) throw new TypeError(message.reason);
    return Promise.resolve({ message: message.value, bytes });
  },
});

const queries = await Promise.all(Array.from({ length: 1000 }, async (_, i) => {
  const name = nameFromText(`host${i}.some.example`);
  if (!name.ok) throw new TypeError(name.reason);
  const query = encodeQuery({ id: i, name: name.value, type: 1, udpPayloadBytes: 1232 });
  await forwarder.resolve(query, client);
  return query;
}));

let next = 0;
Deno.bench("an answer out of the cache", () => {
  next = (next + 1) % queries.length;
  forwarder.resolve(queries[next] as Uint8Array, client);
});
