import type { Change, ListenerSnapshot } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";

/** Routes that travel and are applied in one piece, which takes a few milliseconds. */
const MAX_ROUTES = 1000;

/**
 * Cuts a list of changes into pieces between which a thread can turn to its streams: 100,000 routes
 * at once would stop them for half a second. What is small stays together. The routes of a listener
 * that is added or replaced travel ahead and take effect with it, all at once.
 */
export function* sliceChanges(changes: readonly Change[]): Generator<readonly Change[]> {
  let piece: Change[] = [];
  let weight = 0;
  for (const change of changes.flatMap(cut)) {
    const added = weightOf(change);
    if (piece.length > 0 && weight + added > MAX_ROUTES) {
      yield piece;
      piece = [];
      weight = 0;
    }
    piece.push(change);
    weight += added;
  }
  yield piece;
}

function weightOf(change: Change): number {
  switch (change.kind) {
    case "routes":
      return change.set.length + change.remove.length;
    case "stage_routes":
      return change.routes.length;
    case "add_listener":
      return change.listener.routes.length;
    case "snapshot":
      return change.snapshot.listeners.reduce((sum, { routes }) => sum + routes.length, 0);
    default:
      return 0;
  }
}

function cut(change: Change): Change[] {
  if (weightOf(change) <= MAX_ROUTES) return [change];
  switch (change.kind) {
    case "routes": {
      const { kind, listenerId } = change;
      return [
        ...inPieces(change.remove).map((remove) => ({ kind, listenerId, set: [], remove })),
        ...inPieces(change.set).map((set) => ({ kind, listenerId, set, remove: [] })),
      ];
    }
    case "add_listener":
      return [
        ...stage(change.listener),
        { ...change, listener: { ...change.listener, routes: [] } },
      ];
    case "snapshot": {
      const listeners = change.snapshot.listeners.map((listener) => ({ ...listener, routes: [] }));
      return [
        ...change.snapshot.listeners.flatMap(stage),
        { ...change, snapshot: { ...change.snapshot, listeners } },
      ];
    }
    default:
      return [change];
  }
}

function stage({ id, routes }: ListenerSnapshot): Change[] {
  return inPieces(routes).map((piece, i) => ({
    kind: "stage_routes",
    listenerId: id,
    first: i === 0,
    routes: piece,
  }));
}

function inPieces<T extends Route | string>(items: readonly T[]): T[][] {
  const pieces = Math.ceil(items.length / MAX_ROUTES);
  return Array.from(
    { length: pieces },
    (_, i) => items.slice(i * MAX_ROUTES, (i + 1) * MAX_ROUTES),
  );
}
