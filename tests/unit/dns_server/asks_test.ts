import assert from "node:assert/strict";
import { Asks } from "../../../lib/dns_server/asks.ts";

const JOURNAL = { kind: "journal", origin: "\x01z\0", serial: 7 } as const;

Deno.test("Asks gives each its own answer, whatever their order", async () => {
  const sent: number[] = [];
  const asks = new Asks((ask) => void sent.push(ask));
  const all = [asks.ask(JOURNAL), asks.ask(JOURNAL)];
  asks.take(sent[1] as number, { octets: Uint8Array.of(1) });
  asks.take(sent[0] as number, undefined);
  asks.take(99, { octets: Uint8Array.of(2) }); // Late, for nobody.
  assert.deepEqual(await Promise.all(all), [undefined, { octets: Uint8Array.of(1) }]);
});

Deno.test("Asks has 64 under way, and gives places back", async () => {
  const sent: number[] = [];
  const asks = new Asks((ask) => void sent.push(ask));
  const all = Array.from({ length: 64 }, () => asks.ask(JOURNAL));
  assert.equal(await asks.ask(JOURNAL), undefined);
  assert.equal(sent.length, 64);
  for (const ask of sent) asks.take(ask, {});
  assert.deepEqual(await Promise.all(all), Array.from({ length: 64 }, () => ({})));
  const again = asks.ask(JOURNAL);
  assert.equal(sent.length, 65);
  asks.take(sent[64] as number, {});
  assert.deepEqual(await again, {});
});
