/** Longest identifier that is asked about: a SPIFFE ID cannot hold a longer one. */
const MAX_IDENTIFIER = 2048;

/** Who wants to reach which host. */
export interface AccessRequest {
  readonly orgId: string;
  readonly userId: string;
  readonly connectId: string;
}

/** Why access is refused, in the order in which the reasons are looked at. */
export type DenialCause =
  /** No host has this `connect_id`, or its row has no address. */
  | "unknown_host"
  /** The user has no row. */
  | "unknown_user"
  /** Certificate, user and host do not all belong to one organisation. */
  | "other_org"
  /** Neither the user nor a team of the user's is listed for the host. */
  | "not_listed"
  /** The database did not answer in time; nothing is known. */
  | "unavailable";

/** What the database says. */
export type Decision =
  | {
    readonly allowed: true;
    /** `internal_ip_addr` of the host, see `parseHostAddress` and `ROUTE_BACKENDS`. */
    readonly address: string;
    /** Whom to be on the host, where the table says so. */
    readonly hostUser?: string;
  }
  | { readonly allowed: false; readonly cause: DenialCause };

/**
 * Decides who may reach which host. Neither method ever rejects: a fault is the decision
 * `unavailable`, within the implementation's deadline.
 */
export interface Authorizer {
  authorize(request: AccessRequest): Promise<Decision>;
  /** One decision for each request, in their order; how live sessions are asked about. */
  authorizeAll(requests: readonly AccessRequest[]): Promise<Decision[]>;
  close(): Promise<void>;
}

/** A refusal with its cause. */
export function denied(cause: DenialCause): Decision {
  return { allowed: false, cause };
}

/**
 * The refusal for identifiers that no row can have: neither database stores a NUL or half of a
 * surrogate pair as text, and encoding one could turn it into another text. `undefined` when the
 * request must be asked about.
 */
export function denyImpossible(request: AccessRequest): Decision | undefined {
  if (!isStorable(request.connectId)) return denied("unknown_host");
  if (!isStorable(request.userId)) return denied("unknown_user");
  if (!isStorable(request.orgId)) return denied("other_org");
  return undefined;
}

/** A row as both databases return it. */
export interface DecisionRow {
  readonly verdict: string | null;
  readonly address: string | null;
  readonly hostUser: string | null;
}

const CAUSES: ReadonlySet<string> = new Set<DenialCause>([
  "unknown_host",
  "unknown_user",
  "other_org",
  "not_listed",
]);

/** The decision in a row; everything but a clear yes is a no. */
export function decisionOf(row: DecisionRow | undefined): Decision {
  if (row?.verdict === "allowed" && row.address !== null) {
    const { address, hostUser } = row;
    return { allowed: true, address, ...hostUser !== null && { hostUser } };
  }
  const cause = row?.verdict ?? "";
  return denied(CAUSES.has(cause) ? cause as DenialCause : "unavailable");
}

function isStorable(text: string): boolean {
  return text.length <= MAX_IDENTIFIER && !text.includes("\0") && text.isWellFormed();
}
