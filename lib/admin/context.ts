import type { CallContext } from "../rpc_server/mod.ts";
import type { Control, Operation, Reload } from "../control/mod.ts";
import { isPrintable } from "../schema/mod.ts";

/** What every handler of the service is given. */
export interface AdminContext {
  readonly control: Control;
  readonly version: string;
  /** The user that owns the socket: beside root the only one who can connect. */
  readonly owner: () => number;
  /** Why the proxy is not healthy; empty if it is. */
  readonly problem: () => string;
  /** What works and is not as it should be, one sentence each. */
  readonly warnings: () => readonly string[];
  /** Reads files again; absent where there are none. */
  readonly reload?: Reload;
  /** Aborted when the server ends. */
  readonly closing: AbortSignal;
}

/** An operation, and the workers that had not applied it in time. */
export interface PendingOperation extends Operation {
  readonly pendingWorkers: number[];
  /** What every answer to a change says. */
  readonly done: { readonly pendingWorkers: number[]; readonly revision: bigint };
}

const MAX_ACTOR_CHARACTERS = 64;

/**
 * Who asks, for the audit log. The runtime does not tell a socket's peer credentials, so the owner
 * of the socket is named, and what callers call themselves is marked as their word.
 */
export function operation(
  action: string,
  { owner }: AdminContext,
  call: CallContext,
  ifRevision = 0n,
): PendingOperation {
  const claim = call.metadata("mc-proxy-actor") ?? "";
  const isUsable = claim !== "" && claim.length <= MAX_ACTOR_CHARACTERS && isPrintable(claim);
  const actor = isUsable ? `uid ${owner()} (${claim})` : `uid ${owner()}`;
  const pendingWorkers: number[] = [];
  const onPending = (workers: readonly number[]) => pendingWorkers.push(...workers);
  let revision = 0;
  return {
    actor,
    action,
    signal: call.signal,
    onPending,
    onRevision: (stored) => revision = stored,
    pendingWorkers,
    ...ifRevision !== 0n && { ifRevision: Number(ifRevision) },
    get done() {
      return { pendingWorkers, revision: BigInt(revision) };
    },
  };
}
