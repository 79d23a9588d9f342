/**
 * What a PROXY header costs, read and written. Run: `deno bench bench/proxyproto_bench.ts`.
 */
import { ipFromBytes } from "../lib/addr/mod.ts";
import { authorityTlv, encodeProxyV2, parseProxyHeader } from "../lib/proxyproto/mod.ts";

const ipv4 = { ip: ipFromBytes(Uint8Array.of(192, 0, 2, 7)), port: 50_000 };
const ipv6 = { ip: ipFromBytes(new Uint8Array(16).fill(7)), port: 443 };
const line = new TextEncoder().encode("PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n");
const binary = encodeProxyV2({ source: ipv4, destination: ipv4 });
const tlvs = [authorityTlv("metacrypt.metacircular.net")];

Deno.bench("read v1 over IPv4", { group: "read" }, () => {
  parseProxyHeader(line);
});

Deno.bench("read v2 over IPv4", { group: "read", baseline: true }, () => {
  parseProxyHeader(binary);
});

Deno.bench("write v2 over IPv4", { group: "write", baseline: true }, () => {
  encodeProxyV2({ source: ipv4, destination: ipv4 });
});

Deno.bench("write v2 with mixed families and AUTHORITY", { group: "write" }, () => {
  encodeProxyV2({ source: ipv4, destination: ipv6, tlvs });
});
