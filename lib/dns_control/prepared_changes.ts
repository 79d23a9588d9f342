import { foldCase, nameToText, octetString } from "../dns/mod.ts";
import type { PreparedRow } from "../dns_store/mod.ts";
import { invalid, missing, present, RefusedError } from "../queue/mod.ts";
import { isPrintable } from "../schema/mod.ts";
import type { Steps } from "../slices/mod.ts";
import { canonical } from "./access.ts";
import { readZoneName } from "./parse_requests.ts";
import type { DnsOperation } from "./operation.ts";
import {
  type PlannedSet,
  planSets,
  readWantedSets,
  type SetOfZone,
  type ZonePlan,
} from "./prepared_sets.ts";
import type { ServedZones } from "./served_zones.ts";
import { versionOf } from "./version.ts";

/** A change as whoever decides asks for it. */
export interface ChangeRequest {
  /** Of the transaction: letters, digits and hyphens. */
  readonly id: string;
  /** Who decides; its changes are told apart by it. */
  readonly coordinator: string;
  readonly sets: readonly SetOfZone[];
  /** Refuse unless zones have these versions. */
  readonly ifVersions?: readonly ZoneVersion[] | undefined;
  /** Look only. */
  readonly dryRun?: boolean | undefined;
}

/** A zone and its version. */
export interface ZoneVersion {
  readonly zone: string;
  readonly version: string;
}

/** What a change comes to, or came to. */
export interface ChangeView {
  readonly id: string;
  readonly state: "planned" | "prepared" | "committed";
  /** Those that differ from what there is; of a change that was made before, none. */
  readonly sets: readonly PlannedSet[];
  /** Of the zones, now; of a change that was made before, none. */
  readonly versions: readonly ZoneVersion[];
  readonly pendingWorkers: readonly number[];
}

/** A change that waits for its decision. */
export interface WaitingChange {
  readonly id: string;
  readonly coordinator: string;
  readonly actor: string;
  /** Milliseconds since 1970. */
  readonly preparedAt: number;
  readonly zones: readonly string[];
}

/** A decision comes within seconds, or after somebody was restarted. */
const MAX_WAITING = 100;
const MAX_SETS = 1000;
const MAX_ID = 64;

/**
 * Changes that are made in step with those of another program, which decides (two-phase commit). A
 * change that is prepared can be made whatever happens: it is on the disk, and its zones are kept as
 * they are until it is made or given up. It never gives itself up, whatever the time: the other one
 * may have decided.
 */
export class PreparedChanges {
  readonly #served: ServedZones;

  constructor(served: ServedZones) {
    this.#served = served;
    this.#hold();
  }

  /** Those that wait, the oldest first. */
  list(): WaitingChange[] {
    return this.#rows.waiting().map(({ id, coordinator, actor, preparedAt, content }) => {
      return { id, coordinator, actor, preparedAt, zones: zonesOf(content) };
    });
  }

  /** The zones of a change, in lower case; none if nobody knows it. */
  zonesOf(id: string): readonly string[] {
    const row = this.#rows.get(id);
    return row === undefined ? [] : zonesOf(row.content);
  }

  /**
   * Looks at a change and keeps it, and its zones for it. Asked again it answers the same, also when it
   * was made meanwhile.
   *
   * @throws {RefusedError} `invalid_argument`, `not_found`, `aborted`; `busy` while another one waits
   * for a decision; `already_exists` if it has the id of another one.
   */
  async prepare(request: ChangeRequest, operation: DnsOperation): Promise<ChangeView> {
    const { id, coordinator, dryRun = false } = request;
    checkRequest(request);
    return await this.#served.exclusive(async () => {
      const content = contentOf(request.sets);
      const there = this.#rows.get(id);
      if (there !== undefined && there.content !== content) throw present(`the change ${id}`);
      if (there?.committedAt !== undefined) return madeBefore(id);
      const plans = this.#plan(request.sets, { ...operation, prepared: id });
      if (there !== undefined) return { ...this.#view(id, plans), state: "prepared" };
      refuseOtherVersions(plans, request.ifVersions);
      if (dryRun) return this.#view(id, plans);
      if (this.#rows.waiting().length >= MAX_WAITING) {
        throw new RefusedError("busy", `${MAX_WAITING} changes wait for a decision`);
      }
      const { actor } = operation;
      const preparedAt = this.#served.now();
      await this.#write(() => {
        this.#rows.add({ id, coordinator, actor, content, preparedAt });
      }, operation);
      return { ...this.#view(id, plans), state: "prepared" };
    }, operation.signal);
  }

  /**
   * Makes a prepared change. Asked again it changes nothing.
   *
   * @throws {RefusedError} `not_found` if it is not prepared, and was not made as far as is remembered.
   */
  commit(id: string, operation: DnsOperation): Promise<ChangeView> {
    return this.#served.exclusive(async () => {
      const row = this.#rows.get(id);
      if (row === undefined) throw missing(`the change ${id.slice(0, MAX_ID)}`);
      if (row.committedAt !== undefined) return madeBefore(id);
      const by = { ...operation, actor: row.actor, prepared: id };
      const plans = this.#plan(setsOf(row), by);
      const edits = plans.filter(({ edit }) => edit.rows > 0).map(({ edit }) => edit);
      const [first, ...others] = edits;
      const [rows, time] = [this.#rows, this.#served.now()];
      const { pendingWorkers } = await this.#served.commit({
        rows: edits.reduce((sum, { rows }) => sum + rows, 1),
        write: function* (): Steps<void> {
          for (const { write } of edits) yield* write();
          rows.setCommitted(id, time);
        },
        ...first !== undefined && { change: first.change, back: first.back },
        others,
      }, by);
      this.#hold();
      return { ...this.#view(id, plans), state: "committed", pendingWorkers };
    }, operation.signal);
  }

  /**
   * Gives a change up. One that nobody knows is given up already.
   *
   * @throws {RefusedError} `failed_precondition` if it is made.
   */
  abort(id: string, operation: DnsOperation): Promise<void> {
    return this.#served.exclusive(async () => {
      const row = this.#rows.get(id);
      if (row === undefined) return;
      if (row.committedAt !== undefined) {
        throw new RefusedError("failed_precondition", `the change ${id} is made`);
      }
      const { audit } = this.#served.database;
      const time = this.#served.now();
      await this.#write(() => {
        this.#rows.remove(id);
        const { actor, action } = operation;
        audit.add({ actor, action, time, subject: `change ${id}`, before: row.content, after: "" });
      }, operation);
    }, operation.signal);
  }

  get #rows() {
    return this.#served.database.prepared;
  }

  async #write(body: () => void, operation: DnsOperation): Promise<void> {
    await this.#served.commit({
      rows: 1,
      write: function* (): Steps<void> {
        body();
        yield;
      },
    }, operation);
    this.#hold();
  }

  /** Whatever the rows say, also after they were taken back. */
  #hold(): void {
    this.#served.hold(
      new Map(
        this.#rows.waiting().flatMap(({ id, content }) =>
          zonesOf(content).map((zone) => [foldCase(octetString(readZoneName(zone))), id] as const)
        ),
      ),
    );
  }

  #plan(sets: readonly SetOfZone[], operation: DnsOperation): ZonePlan[] {
    return planSets(readWantedSets(sets), { served: this.#served, operation });
  }

  #view(id: string, plans: readonly ZonePlan[]): ChangeView {
    const versions = plans.map(({ place: { row } }) => {
      const serial = this.#served.database.serial(row);
      return { zone: nameToText(row.origin), version: versionOf(row, { serial }) };
    });
    const sets = plans.flatMap(({ sets }) => sets);
    return { id, state: "planned", sets, versions, pendingWorkers: [] };
  }
}

/** What has become of the zones since is not of interest. */
function madeBefore(id: string): ChangeView {
  return { id, state: "committed", sets: [], versions: [], pendingWorkers: [] };
}

function checkRequest({ id, coordinator, sets }: ChangeRequest): void {
  if (!/^[\w-]+$/.test(id) || id.length > MAX_ID) {
    throw invalid("id", `not 1 to ${MAX_ID} letters, digits and hyphens`);
  }
  if (coordinator === "" || coordinator.length > MAX_ID || !isPrintable(coordinator)) {
    throw invalid("coordinator", `not 1 to ${MAX_ID} characters that can be seen`);
  }
  if (sets.length === 0 || sets.length > MAX_SETS) {
    throw invalid("sets", `not 1 to ${MAX_SETS} of them`);
  }
}

function refuseOtherVersions(
  plans: readonly ZonePlan[],
  wanted: readonly ZoneVersion[] = [],
): void {
  for (const { place } of plans) {
    const name = nameToText(place.row.origin);
    const asked = wanted.filter(({ zone }) => canonical(zone) === canonical(name));
    const version = versionOf(place.row, place.zone);
    if (asked.length === 0 || asked.some((it) => it.version === version)) continue;
    throw new RefusedError("aborted", `the zone ${name} is at version ${version}`);
  }
}

/** In one spelling, so that whoever asks again is known to ask the same. */
function contentOf(sets: readonly SetOfZone[]): string {
  return JSON.stringify(sets.map(({ zone, name, type, ttl, values }) => {
    return { zone: canonical(zone) ?? zone, name, type, ...ttl !== undefined && { ttl }, values };
  }));
}

function setsOf({ content }: PreparedRow): SetOfZone[] {
  return JSON.parse(content);
}

function zonesOf(content: string): string[] {
  const sets: SetOfZone[] = JSON.parse(content);
  return [...new Set(sets.map(({ zone }) => zone))];
}
