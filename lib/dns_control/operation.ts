/** Who asks for a change, and by which call. */
export interface DnsOperation {
  /** For the audit log. */
  readonly actor: string;
  /** Such as `AddRecord`. */
  readonly action: string;
  /** Aborted when nobody waits for the change any more. */
  readonly signal?: AbortSignal;
  /** Refuse unless the zone has one of these versions; absent: whatever it has. */
  readonly ifVersion?: readonly string[];
  /** What is changed came from the zone's primary, the only one that may change it. */
  readonly isTransfer?: boolean;
  /** The prepared change that this is, whose zones are kept for it. */
  readonly prepared?: string;
}

/** What a change led to. */
export interface Done {
  /** Of the zone, now; see `ZoneView.version`. */
  readonly version: string;
  readonly serial: number;
  /** Workers that make the change a little later. */
  readonly pendingWorkers: readonly number[];
}

/** The change could not be made and was undone; the cause says why, to the log and nobody else. */
export class DnsMutationError extends Error {
  override readonly name = "DnsMutationError";
  readonly code = "plane";

  constructor(action: string, cause: unknown) {
    super(`${action} failed and was undone`, { cause });
  }
}
