import type { OctetString } from "../dns/mod.ts";
import type { Change } from "./message.ts";

/** What a key may change: names and types; and so all else is refused. */
export interface UpdateGrant {
  /** Its case folded. */
  readonly name: OctetString;
  /** Whether names below it are meant, too. */
  readonly isTree: boolean;
  /** Absent: all types. */
  readonly types?: readonly number[];
}

/** Whether grants allow a change. To remove all that a name has takes a grant for all types. */
export function allows(grants: readonly UpdateGrant[], change: Change): boolean {
  const { key, type } = change.kind === "add" || change.kind === "remove"
    ? change.record
    : { type: undefined, ...change };
  return grants.some(({ name, isTree, types }) => {
    if (key !== name && !(isTree && isBelow(key, name))) return false;
    return types === undefined || (type !== undefined && types.includes(type));
  });
}

/** Whether a name is below another one; the case of both is folded. */
export function isBelow(key: OctetString, top: OctetString): boolean {
  const start = key.length - top.length;
  if (start <= 0 || !key.endsWith(top)) return false;
  let at = 0;
  while (at < start) at += 1 + key.charCodeAt(at);
  return at === start;
}
