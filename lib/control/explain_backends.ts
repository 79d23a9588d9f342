import { type IpAddress, sourceKey } from "../addr/mod.ts";
import { type BackendCell, Member, POLICIES, stateOf, usable } from "../balance/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import { watchedBackends } from "./watched_backends.ts";

const BECAUSE = {
  primary: "",
  backup: ", as no primary is well",
  "all_down": ", as none is well: each is tried in turn",
} as const;

const NEXT = {
  "round_robin": "they take turns by weight",
  least: "the emptier of two taken by chance",
} as const;

/** Which of several backends a connection of this client would go to, and why; nothing if one is all. */
export function* explainBackends(
  route: Route,
  ip: IpAddress,
  { board, nowMs }: { readonly board: BackendBoard; readonly nowMs: number },
): Generator<string> {
  const backends = watchedBackends(route).flatMap((backend) => {
    const cell: BackendCell | undefined = board.cell(route, backend.addr);
    return cell === undefined ? [] : [{ backend, cell }];
  });
  if (backends.length === 0) return;
  for (const { backend, cell } of backends) {
    const { condition, reason, open } = stateOf(backend, cell, nowMs);
    const { addr, maxConnections = 0 } = backend;
    const of = maxConnections === 0 ? "" : ` of at most ${maxConnections}`;
    const why = reason === "" ? "" : ` (${reason})`;
    const role = backend.backup ? "backup " : "";
    yield `backend: ${role}${addr} is ${condition}${why}, ${open}${of} open`;
  }
  const members = backends.map(({ backend, cell }) => new Member(backend, cell));
  const { members: candidates, because } = usable(members, nowMs);
  const policy = because === "all_down" ? "round_robin" : route.balance ?? "round_robin";
  const names = candidates.map(({ backend }) => backend.addr).join(", ");
  if (policy !== "source" || candidates.length < 2) {
    const how = candidates.length < 2
      ? ""
      : `: ${NEXT[policy === "least" ? "least" : "round_robin"]}`;
    yield `backends: ${policy} over ${names}${BECAUSE[because]}${how}`;
    return;
  }
  const context = { source: sourceKey(ip), nowMs, random: () => 0 };
  const chosen = POLICIES.source(candidates, context).backend.addr;
  yield `backends: source over ${names}${BECAUSE[because]}: this client goes to ${chosen}`;
}
