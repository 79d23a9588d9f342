/**
 * What finding a route costs. Aim: 100,000 routes make it no slower but for cache misses.
 * Run: `deno bench bench/routes_bench.ts`.
 */
import { compileRoutes, type Route } from "../lib/routes/mod.ts";

/** Names asked for in turn, each a string of its own, as from parsed hellos. */
const NAMES = 2 ** 12;

function route(id: number, hostname: string): Route {
  return {
    id,
    hostname,
    backend: "192.0.2.1:443",
    mode: "l4",
    tlsCert: "",
    tlsKey: "",
    backendTls: false,
    sendProxyProtocol: false,
  };
}

/** Half exact names, half wildcards. */
function routesFor(size: number): Route[] {
  return Array.from({ length: size }, (_, i) => {
    return route(i, i % 2 === 0 ? `www${i}.customers.example` : `*.site${i}.example`);
  });
}

for (const size of [10, 1000, 100_000]) {
  const routes = routesFor(size);
  const table = compileRoutes(routes);
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const ask = (group: string, nameOf: (i: number) => string) => {
    const encoded = Array.from({ length: NAMES }, (_, i) => encoder.encode(nameOf(i)));
    let at = 0;
    Deno.bench(`${group}, ${size.toLocaleString("en")} routes`, { group }, () => {
      // Decoded anew: a string that was looked up before knows its hash.
      table.match(decoder.decode(encoded[at++ & (NAMES - 1)]));
    });
  };
  const even = (i: number) => i * 7918 % size & ~1;
  ask("exact", (i) => `www${even(i)}.customers.example`);
  ask("wildcard, one label below", (i) => `a.site${even(i) + 1}.example`);
  ask("wildcard, three labels below", (i) => `a.b.c.site${even(i) + 1}.example`);
  ask("no route", (i) => `www${i}.elsewhere.test`);
  ask("no route, 126 labels", (i) => "a.".repeat(120) + `x${i}.test`);
  Deno.bench(`compile, ${size.toLocaleString("en")} routes`, { group: "compile" }, () => {
    compileRoutes(routes);
  });
}
