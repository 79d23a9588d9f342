import type { Database } from "../db/mod.ts";
import type { Difference } from "./difference.ts";
import type { Followed, Operation } from "./operation.ts";

/** What a {@link ServedState} asks of the log of a group. */
export interface GroupLog {
  /**
   * Has a change in the log, before it is made here.
   *
   * @throws {StaleError} if the log has gone on meanwhile.
   * @throws {RefusedError} if the log cannot be written.
   */
  append(differences: readonly Difference[], operation: Operation): Promise<Followed>;
  /** Runs a change, and again after each time that it was made for a state that is over. */
  settle<T>(body: () => Promise<T>): Promise<T>;
}

/** In the transaction: how far the group has been followed, and what it has yet to hear. */
export function noteFollowed({ settings, audit }: Database, followed: Followed | undefined): void {
  if (followed === undefined) return;
  for (const entry of followed.audit ?? []) audit.add(entry);
  for (const name of followed.settled ?? []) settings.removeUnsent(name);
  for (const name of followed.owed ?? []) settings.addUnsent(name);
  if (followed.drain !== undefined) settings.setDrain(followed.drain ?? undefined);
  if (followed.position !== undefined) settings.setReplica(followed.position);
}
