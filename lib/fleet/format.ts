import type { Json } from "../schema/mod.ts";
import type { Edit } from "./log.ts";
import { valueOf } from "./objects.ts";

/**
 * What of the state came when. Proxies of several versions serve one group while it is upgraded, and a
 * change waits for the last of them that would not understand it.
 */
export interface FleetFormats {
  /** What this program knows: one more with whatever an older one would not take. */
  readonly known: number;
  /**
   * What came after the first format, and with which: a kind (`zone`), a field of one, at any depth
   * (`route.paths.title`), a word that a field may have (`route.mode=udp`) or a step (`do=move`).
   */
  readonly since: ReadonlyMap<string, number>;
}

/**
 * A new field is `optional`, so that whatever does not have it is what it was to older proxies, and has
 * an entry here; a test fails where it has none.
 */
export const FLEET_FORMATS: FleetFormats = { known: 1, since: new Map<string, number>() };

/** The format that a program has to know to take these edits. */
export function formatOf(
  edits: readonly Edit[],
  { since }: Pick<FleetFormats, "since"> = FLEET_FORMATS,
): number {
  if (since.size === 0) return 1;
  return Math.max(
    1,
    ...edits.map((edit) => {
      const [kind = ""] = edit.do === "put" ? [edit.object.kind] : edit.key;
      const value = edit.do === "put" ? newestIn(valueOf(edit.object), kind, since) : 1;
      return Math.max(value, since.get(`do=${edit.do}`) ?? 1, since.get(kind) ?? 1);
    }),
  );
}

function newestIn(json: Json, path: string, since: FleetFormats["since"]): number {
  const own = since.get(path) ?? 1;
  if (Array.isArray(json)) return Math.max(own, ...json.map((it) => newestIn(it, path, since)));
  if (typeof json === "string") return Math.max(own, since.get(`${path}=${json}`) ?? 1);
  if (typeof json !== "object" || json === null) return own;
  const below = Object.entries(json).map(([key, it]) => newestIn(it, `${path}.${key}`, since));
  return Math.max(own, ...below);
}
