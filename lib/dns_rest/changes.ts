import { callDnsRest, type DnsRestOptions } from "./client.ts";
import { DnsRestError } from "./error.ts";

/** The records of a name and type of a zone as they are to be; no values: none. */
export interface WantedSet {
  readonly zone: string;
  /** In full, with its last dot. */
  readonly name: string;
  readonly type: string;
  readonly ttl?: number | undefined;
  readonly values: readonly string[];
}

/** A zone and its version. */
export interface ZoneVersion {
  readonly zone: string;
  readonly version: string;
}

/** What becomes of a set. */
export interface SetDifference {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
  readonly before: { readonly ttl: number; readonly values: readonly string[] };
  readonly after: { readonly ttl: number; readonly values: readonly string[] };
}

/** What a change comes to. */
export interface PreparedChange {
  readonly sets: readonly SetDifference[];
  readonly versions: readonly ZoneVersion[];
}

/** A change in step with one of ours. */
export interface ChangeOfSets {
  readonly id: string;
  readonly coordinator: string;
  readonly sets: readonly WantedSet[];
  readonly ifVersions?: readonly ZoneVersion[];
  readonly dryRun?: boolean;
}

/**
 * Has a change kept until it is decided; with `dryRun`, looks what it would be.
 *
 * @throws {DnsRestError}
 */
export async function prepareChange(
  options: DnsRestOptions,
  { ifVersions = [], dryRun = false, ...change }: ChangeOfSets,
  signal?: AbortSignal,
): Promise<PreparedChange> {
  const body = { ...change, "if_versions": ifVersions, "dry_run": dryRun };
  const { json } = await callDnsRest(options, {
    ...{ method: "POST", path: "/v1/changes", body, signal },
  });
  const { sets, versions } = json as unknown as PreparedChange;
  if (Array.isArray(sets) && Array.isArray(versions)) return { sets, versions };
  throw new DnsRestError("malformed", "the name server says nothing of the change");
}

/**
 * Makes a prepared change; `unknown` if nobody has heard of it.
 *
 * @throws {DnsRestError}
 */
export async function commitChange(
  options: DnsRestOptions,
  id: string,
  signal?: AbortSignal,
): Promise<"made" | "unknown"> {
  try {
    await callDnsRest(options, { method: "POST", path: `/v1/changes/${id}/commit`, signal });
    return "made";
  } catch (error) {
    if (error instanceof DnsRestError && error.status === 404) return "unknown";
    throw error;
  }
}

/**
 * Gives a prepared change up.
 *
 * @throws {DnsRestError}
 */
export async function abortChange(
  options: DnsRestOptions,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  await callDnsRest(options, { method: "DELETE", path: `/v1/changes/${id}`, signal });
}

/**
 * The ids of the changes of ours that wait for a decision.
 *
 * @throws {DnsRestError}
 */
export async function waitingChanges(
  options: DnsRestOptions,
  coordinator: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const call = { method: "GET", path: "/v1/changes", signal } as const;
  const { json: { changes } } = await callDnsRest(options, call);
  if (!Array.isArray(changes)) throw new DnsRestError("malformed", "the name server lists nothing");
  return changes.filter((it) => it.coordinator === coordinator).map(({ id }) => String(id));
}
