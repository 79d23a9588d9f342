import assert from "node:assert/strict";
import { Handshakes } from "../../../lib/tls/mod.ts";

/** Handshakes by name, and who had to give way, in order. */
function crowd(options: ConstructorParameters<typeof Handshakes>[0]) {
  const handshakes = new Handshakes(options);
  const displaced: string[] = [];
  const begin = (name: string, source: string) =>
    handshakes.begin(source, () => displaced.push(name));
  return { handshakes, displaced, begin };
}

Deno.test("Handshakes displaces the oldest of a source at its limit, and nobody below", () => {
  const { handshakes, displaced, begin } = crowd({ max: 100, maxOfSource: 2 });
  begin("a1", "a");
  begin("b1", "b");
  begin("a2", "a");
  assert.deepEqual(displaced, []);
  begin("a3", "a");
  assert.deepEqual(displaced, ["a1"]);
  begin("a4", "a");
  assert.deepEqual(displaced, ["a1", "a2"]);
  assert.equal(handshakes.size, 3);
});

Deno.test("Handshakes displaces the oldest of all at the limit of all", () => {
  const { handshakes, displaced, begin } = crowd({ max: 3, maxOfSource: 2 });
  for (const source of ["a", "b", "c"]) begin(`${source}1`, source);
  assert.deepEqual(displaced, []);
  begin("d1", "d");
  assert.deepEqual(displaced, ["a1"]);
  assert.equal(handshakes.size, 3);
});

Deno.test("Handshakes forgets those that are done, once, whoever displaced them", () => {
  const { handshakes, displaced, begin } = crowd({ max: 2, maxOfSource: 2 });
  const first = begin("first", "a");
  const second = begin("second", "a");
  begin("third", "a");
  assert.deepEqual(displaced, ["first"]);
  // It is told in its callback, and ends itself there.
  first();
  first();
  assert.equal(handshakes.size, 2);
  second();
  assert.equal(handshakes.size, 1);
  begin("fourth", "a");
  assert.deepEqual(displaced, ["first"], "there was room");
});

Deno.test("Handshakes.inTurn() begins a few in a turn, the rest in order in later ones", () => {
  const later: (() => void)[] = [];
  const handshakes = new Handshakes({ later: (run) => later.push(run) });
  const turn = () => later.splice(0).forEach((run) => run());
  const begun: number[] = [];
  for (let i = 0; i < 10; i++) handshakes.inTurn(() => begun.push(i));
  assert.deepEqual(begun, [0, 1, 2, 3]);
  turn();
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7]);
  handshakes.inTurn(() => begun.push(10));
  assert.equal(begun.length, 8, "behind those that wait");
  turn();
  assert.deepEqual(begun.slice(8), [8, 9, 10]);
  turn();
  assert.equal(later.length, 0, "nothing is scheduled when nothing is to be done");
  handshakes.inTurn(() => begun.push(11));
  assert.equal(begun.at(-1), 11, "a new turn");
});
