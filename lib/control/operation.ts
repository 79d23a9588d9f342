import type { AuditEntry, DrainWish, ReplicaPosition } from "../db/mod.ts";

/** What is written with the rows of a change where the truth is a group's. */
export interface Followed {
  /** How far the group has been followed with it; absent: the group does not know it. */
  readonly position?: ReplicaPosition;
  /** What the audit log says instead of what the differences say. */
  readonly audit?: readonly Omit<AuditEntry, "id">[];
  /** Names of what the group is still to be told, and of what it has been told. */
  readonly owed?: readonly string[];
  readonly settled?: readonly string[];
  /** What it wants of this proxy; `null`: that it serves; absent: what it wanted before. */
  readonly drain?: DrainWish | null;
}

/** Who asks for a change, and by which call. */
export interface Operation {
  /** For the audit log. */
  readonly actor: string;
  /** Such as `AddRoute`. */
  readonly action: string;
  /** Aborted when nobody waits for the change any more. */
  readonly signal?: AbortSignal;
  /** Told which workers are late with a change that is made: they apply it when they turn to it. */
  readonly onPending?: (workers: readonly number[]) => void;
  /** Whether the file that is the truth says it. */
  readonly isOfFile?: boolean;
  /** Whether it asks for a whole state, to which blocks that end on their own belong too. */
  readonly isOfWholeState?: boolean;
  /** What to write into the file instead, where that is the truth. Absent: it is plain. */
  readonly inFile?: string;
  /** Refuse unless the state is at this revision; absent: whatever it is at. */
  readonly ifRevision?: number;
  /** Whether it is this proxy's own affair, of which its group hears nothing. */
  readonly isLocal?: boolean;
  /** What the group's log said: absent, it is for the log to hear of. */
  readonly followed?: Followed;
  /** Told the revision of the state with the change. */
  readonly onRevision?: (revision: number) => void;
}

/** The change could not be made and was undone; the cause says why, to the log and nobody else. */
export class MutationError extends Error {
  override readonly name = "MutationError";
  readonly code: "database" | "compile" | "data_plane";

  constructor(code: MutationError["code"], action: string, cause: unknown) {
    super(`${action} failed and was undone`, { cause });
    this.code = code;
  }
}
