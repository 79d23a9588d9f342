/**
 * What reading a ClientHello costs. Aim: a 517-octet hello (what browsers sent for years) in at most
 * 5 µs. Run: `deno bench bench/sni_bench.ts`.
 */
import { ClientHelloReader, parseClientHello } from "../lib/sni/mod.ts";
import { buildClientHello } from "../tests/support/hello.ts";

const browser = {
  serverName: "metacrypt.metacircular.net",
  alpn: ["h2", "http/1.1"],
  grease: true,
};
const classic = buildClientHello({ ...browser, padTo: 517 });
const postQuantum = buildClientHello({ ...browser, postQuantum: true });
const halfOfIt = postQuantum.subarray(0, 1_000);
const shattered = buildClientHello({ ...browser, padTo: 517, recordSizes: [1] });
const flood = buildClientHello({ padTo: 10_900, recordSizes: [1] });
const almostAll = flood.subarray(0, flood.length - 1);
const reader = new ClientHelloReader();

Deno.bench("517 octets, one record", { group: "hello", baseline: true }, () => {
  parseClientHello(classic);
});

Deno.bench("post-quantum, one record", { group: "hello" }, () => {
  parseClientHello(postQuantum);
});

Deno.bench("517 octets in one-octet records", { group: "hello" }, () => {
  parseClientHello(shattered);
});

Deno.bench("first segment of two: need", { group: "incomplete" }, () => {
  parseClientHello(halfOfIt);
});

Deno.bench("10,895 one-octet records without the end: need", { group: "incomplete" }, () => {
  parseClientHello(almostAll);
});

Deno.bench("the same once more with a ClientHelloReader: need", { group: "incomplete" }, () => {
  reader.read(almostAll);
});
