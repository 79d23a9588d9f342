import assert from "node:assert/strict";
import type { Change, Snapshot } from "../../../lib/plane/mod.ts";
import { sliceChanges } from "../../../lib/workers/slices.ts";
import { listenerOf, routeOf } from "../../support/plane.ts";

const routes = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, i) => routeOf({ hostname: `h${from + i}.test`, backend: "127.0.0.1:1" }),
  );

const counts = (changes: readonly Change[]) =>
  changes.reduce((sum, change) => {
    if (change.kind === "routes") return sum + change.set.length + change.remove.length;
    if (change.kind === "stage_routes") return sum + change.routes.length;
    if (change.kind === "add_listener") return sum + change.listener.routes.length;
    return sum;
  }, 0);

Deno.test("sliceChanges() leaves what is small together, in one piece", () => {
  const changes: Change[] = [
    { kind: "remove_listener", listenerId: 1 },
    { kind: "add_listener", listener: listenerOf(1, { routes: routes(400) }) },
    { kind: "routes", listenerId: 1, set: routes(600), remove: [] },
  ];
  assert.deepEqual([...sliceChanges(changes)], [changes]);
  assert.deepEqual([...sliceChanges([])], [[]]);
});

Deno.test("sliceChanges() cuts routes into pieces of a thousand, removals first, none twice", () => {
  const set = routes(2500);
  const remove = routes(1001, 5000).map(({ hostname }) => hostname);
  const pieces = [...sliceChanges([{ kind: "routes", listenerId: 7, set, remove }])];
  assert.deepEqual(pieces.map(counts), [1000, 1, 1000, 1000, 500]);
  const all = pieces.flat().map((change) => {
    assert(change.kind === "routes" && change.listenerId === 7);
    return change;
  });
  assert.deepEqual(all.flatMap((change) => change.remove), remove);
  assert.deepEqual(all.flatMap((change) => change.set), set);
});

Deno.test("sliceChanges() sends the routes of a large listener ahead of it", () => {
  const listener = listenerOf(1, { id: 3, routes: routes(2001) });
  const pieces = [...sliceChanges([{ kind: "add_listener", listener }])];
  assert(pieces.every((piece) => counts(piece) <= 1000));
  const flat = pieces.flat();
  const staged = flat.filter((change) => change.kind === "stage_routes");
  assert.deepEqual(staged.map(({ first }) => first), [true, false, false]);
  assert.deepEqual(staged.flatMap((change) => change.routes), listener.routes);
  const last = flat.at(-1);
  assert(last?.kind === "add_listener" && last.listener.routes.length === 0);
});

Deno.test("sliceChanges() sends the routes of a large state ahead of it", () => {
  const listeners = [3, 4].map((id) => listenerOf(1, { id, routes: routes(700, id * 1000) }));
  const snapshot = { listeners } as unknown as Snapshot;
  const flat = [...sliceChanges([{ kind: "snapshot", snapshot }])].flat();
  const staged = flat.filter((change) => change.kind === "stage_routes");
  assert.deepEqual(staged.map(({ listenerId, first }) => [listenerId, first]), [
    [3, true],
    [4, true],
  ]);
  assert.deepEqual(
    staged.map((change) => change.routes),
    listeners.map((listener) => listener.routes),
  );
  const last = flat.at(-1);
  assert(last?.kind === "snapshot");
  assert.deepEqual(last.snapshot.listeners.map(({ id, routes }) => [id, routes.length]), [
    [3, 0],
    [4, 0],
  ]);
});
