/**
 * What the data plane has to have before the routes that use it.
 *
 * @module
 */
import type { BackendBoard, CellChange } from "./backend_board.ts";
import type { Compiled } from "./change_set.ts";
import type { RouteMaterials } from "./route_materials.ts";

/** Brings along the certificates of new routes, before the routes. */
export async function withCertificates(
  compiled: Compiled,
  materials: RouteMaterials,
): Promise<Compiled> {
  const { changes, snapshot, routes } = compiled;
  const set = await materials.load(
    routes.flatMap((patch) => [...patch.set.values()]),
  );
  const known = new Set(snapshot.tls);
  const fresh = set.filter((material) => !known.has(material));
  if (fresh.length === 0) return compiled;
  const ids = new Set(fresh.map(({ id }) => id));
  const tls = [...(snapshot.tls ?? []).filter(({ id }) => !ids.has(id)), ...fresh];
  return {
    routes,
    changes: [{ kind: "tls", set: fresh, remove: [] }, ...changes],
    snapshot: { ...snapshot, tls },
  };
}

/** Brings along the shared memory of new backends, before the routes that have them. */
export function withCells(
  compiled: Compiled,
  board: BackendBoard,
  { set, remove }: CellChange,
): Compiled {
  if (set.length + remove.length === 0) return compiled;
  const { changes, snapshot, routes } = compiled;
  return {
    routes,
    changes: [{ kind: "backends", set, remove }, ...changes],
    snapshot: { ...snapshot, backends: [...board.cells, ...set] },
  };
}
