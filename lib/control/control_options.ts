import type { History } from "../history/mod.ts";
import type { Config } from "../config/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { Admission } from "../connector/mod.ts";
import type { Database } from "../db/mod.ts";
import type { FleetLink, Sealer } from "../fleet/mod.ts";
import type { ConnectionEvent, LogSink, RequestEvent } from "../observe/mod.ts";
import type { ListenerSnapshot, Plane, Snapshot } from "../plane/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { ChangeSet, Compiled } from "./change_set.ts";
import type { Joined } from "./group_join.ts";
import type { StateLimits } from "./state_limits.ts";

/** What the control plane is given from outside. */
export interface ControlOptions {
  readonly config: Config;
  /** Open and migrated; stays the caller's to close. */
  readonly database: Database;
  readonly log: LogSink;
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Absent: nobody wants an access log. */
  readonly onRequest?: (event: RequestEvent) => void;
  /** Starts the data plane, in workers or in this thread. */
  readonly startPlane: (snapshot: Snapshot, sinks: PlaneSinks) => Promise<Plane>;
  /** Whether to share ports with a process that serves them already, which is to be replaced. */
  readonly takeOver?: boolean;
  /** Whether a listener's socket comes from the service manager and is bound already. */
  readonly isInherited?: (listener: ListenerSnapshot) => boolean;
  /** Decides about connections of mtls routes; absent: they are refused. */
  readonly admission?: Admission;
  /** Keeps what connections leave behind; stays the caller's to close. */
  readonly history?: History;
  readonly readFile?: ReadFile;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
  /** Compiles a change; tests make it fail. */
  readonly compile?: (changeSet: ChangeSet) => Steps<Compiled>;
  /** How the program calls itself to an authority. */
  readonly userAgent?: string;
  /** The configuration; absent: the flags of a command. */
  readonly file?: StateFileOptions;
  /** The group that this proxy belongs to; absent: it is alone. */
  readonly fleet?: FleetOptions;
  /** How long is waited when certificates are ordered; tests wait less. */
  readonly orders?: OrderTimes;
  /** How much the state may hold; tests make it less. */
  readonly limits?: StateLimits;
}

/** How long is waited when certificates are ordered. */
export interface OrderTimes {
  /** How long a turn of a group's proxy lasts that nobody keeps. */
  readonly leaseMs?: number;
  /** Waits for what the authority is working on. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How a proxy belongs to a group. */
export interface FleetOptions {
  /** Stays the caller's to close. */
  readonly link: FleetLink;
  /** What was found of a group that this proxy joins; absent: the database is a replica of it. */
  readonly joined?: Joined | undefined;
  /** Of the program. */
  readonly version: string;
  /** How often proxies tell each other how they are. Default: 1,000. */
  readonly beatMs?: number;
  /** What certificates are sealed with that the group shares; absent: it shares none. */
  readonly sealer?: Sealer | undefined;
}

/** The configuration file, which seeds the database or is the truth. */
export interface StateFileOptions {
  readonly path: string;
  /** Where to the database is copied before the file replaces what it holds. */
  readonly copyTo: () => string;
}

/** Where the data plane reports to. */
export interface PlaneSinks {
  readonly onEvent: (event: ConnectionEvent) => void;
  readonly onRequest?: (event: RequestEvent) => void;
  readonly log: LogSink;
  readonly admission?: Admission;
}
