import type { Database, ReplicaPosition } from "../db/mod.ts";
import {
  type AuditLine,
  type Edit,
  type Entry,
  type FleetLink,
  FleetLinkError,
  type Head,
  keyOf,
  type NewEntry,
  put,
  stateOf,
  type Step,
  stepsOf,
  UnknownObjectError,
  wayFrom,
} from "../fleet/mod.ts";
import { describeError } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { auditEntry, type Difference } from "./difference.ts";
import type { GroupLog } from "./group_log.ts";
import { GroupTurns } from "./group_turns.ts";
import { auditOf, differencesOf, nameOfRule, ruleOfName } from "./group_steps.ts";
import type { Followed, Operation } from "./operation.ts";
import { planState } from "./plan.ts";
import { StaleError } from "./revision.ts";
import type { ServedState } from "./served_state.ts";
import type { RateLimit, RuleSettings } from "../state/mod.ts";
import { refuseUnknownCountries } from "./geoip.ts";

/** What was changed without PostgreSQL is sent in such portions. */
const MAX_SENT_AT_ONCE = 500;

const NOTHING_DONE = "nothing has changed: ask again when PostgreSQL answers";

/** What a {@link Group} works with. */
export interface GroupOptions {
  readonly link: FleetLink;
  readonly database: Database;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What of the control plane a {@link Group} changes. */
export interface GroupTarget {
  readonly state: ServedState;
  /** The limit in effect. */
  readonly rateLimit: () => RateLimit;
  /** Told of what the group has changed here. */
  readonly onFollowed: (differences: readonly Difference[]) => void;
}

/** What the log has after a revision. */
export interface Page {
  readonly head: Head;
  readonly entries: readonly Entry[];
}

/** A replica of a group's state: writes to the group's log, and makes true here what the log says. */
export class Group implements GroupLog {
  readonly #options: GroupOptions;
  #target: GroupTarget | undefined;
  readonly #turns: GroupTurns;
  #problem: unknown;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#turns = new GroupTurns({
      ...{ link: options.link, refuse },
      revision: () => this.position.revision,
      catchUp: () => this.#catchUp(),
    });
  }

  /** Before anything is written or followed. */
  attach(target: GroupTarget): void {
    this.#target = target;
  }

  /** How far the group has been followed. */
  get position(): ReplicaPosition {
    const position = this.#options.database.settings.replica;
    if (position === undefined) throw new TypeError("the database is no replica");
    return position;
  }

  /** Why the group cannot be followed; nothing: it can. */
  get problem(): string | undefined {
    return this.#problem === undefined ? undefined : describeError(this.#problem);
  }

  /** Whether this program, or its configuration, does not understand what the group says. */
  get isStuck(): boolean {
    return this.#problem instanceof UnknownObjectError;
  }

  /** There is a revision that may not have been followed. */
  announce(): void {
    this.#turns.announce();
  }

  /** Notes whether the group could be followed. */
  note(problem: unknown): void {
    this.#problem = problem;
  }

  async append(differences: readonly Difference[], operation: Operation): Promise<Followed> {
    const areBans = differences.every(({ isPassing = false, action }) =>
      isPassing && action === "add"
    );
    // Whoever waits for each answer that does not come keeps all others waiting.
    const hindrance = this.#problem ?? this.#turns.hindrance;
    try {
      if (hindrance !== undefined) throw hindrance;
      return await this.#append(this.#entryOf(differences, operation), differences);
    } catch (error) {
      if (error instanceof StaleError) throw error;
      if (error instanceof RefusedError && error !== hindrance) throw error;
      const isUnsure = error !== hindrance && error instanceof FleetLinkError && error.isUncertain;
      // Until the group is followed again nobody else waits for an answer that does not come.
      if (isUnsure || isSilence(error)) this.#problem = error;
      if (areBans) return { owed: differences.flatMap(({ rule }) => namesOf(rule)) };
      const outcome = isUnsure
        ? "whether the group has the change is not known: look before you ask again"
        : NOTHING_DONE;
      return refuse(error, outcome);
    }
  }

  settle<T>(body: () => Promise<T>): Promise<T> {
    return this.#turns.settle(body);
  }

  /**
   * Makes true what the log says after this replica's revision. Only within {@link ServedState.exclusive}.
   *
   * @throws {FleetLinkError | ForeignHistoryError | UnknownObjectError}
   */
  async take({ head, entries }: Page): Promise<void> {
    const { position } = this;
    // What was made here since the page was read is not made again.
    const fresh = entries.filter(({ revision }) => revision > position.revision);
    for (const step of stepsOf(position.revision, fresh)) await this.#make(step, head);
  }

  /**
   * Takes the whole state of the group, whatever is here but what the group is still to be told. Only
   * within {@link ServedState.exclusive}.
   */
  async takeAll(): Promise<void> {
    const { link, database, now } = this.#options;
    const { state, rateLimit } = this.#attached;
    const { head, entry, objects } = await link.snapshot();
    const owed = new Set(database.settings.unsent);
    const differences = await planState(stateOf(objects), {
      state,
      tls: { check: () => Promise.resolve() },
      rateLimit: rateLimit(),
      now: now(),
      ...{ isDated: true, isOrdered: true },
      keeps: (rule) => owed.has(nameOfRule(rule)),
      tryToBind: (_host, port) => Promise.resolve(port),
    });
    const { group, epoch, revision } = head;
    await this.#commit(differences, { position: { group, epoch, revision, entry } });
  }

  /** Tells the group what was changed here without it. Only within {@link ServedState.exclusive}. */
  async sendOwed(): Promise<void> {
    const { database } = this.#options;
    const names = database.settings.unsent.slice(0, MAX_SENT_AT_ONCE);
    if (names.length === 0) return;
    const edits: Edit[] = [];
    const audit: AuditLine[] = [];
    for (const name of names) {
      const rule = database.rules.find(ruleOfName(name));
      if (rule === undefined) continue; // Its time has come meanwhile.
      edits.push(put({ kind: "rule", rule }));
      audit.push([`${rule.type} ${rule.value}`, "", JSON.stringify({ reason: rule.reason })]);
    }
    const sent = this.#stamped({ actor: "mc-proxy", action: "SendBans" }, edits, audit);
    const { position } = edits.length === 0 ? {} : await this.#append(sent, []);
    await this.#commit([], { ...position && { position }, audit: [], settled: names });
  }

  async #catchUp(): Promise<void> {
    const { link } = this.#options;
    for (;;) {
      const { position } = this;
      const page = await link.follow(position.revision);
      if (wayFrom(position, page.head) === "take_all") return await this.takeAll();
      await this.take(page);
      if (this.position.revision >= page.head.revision) return;
    }
  }

  async #make(step: Step, { group, epoch }: Head): Promise<void> {
    const { database } = this.#options;
    const { state, rateLimit } = this.#attached;
    const differences = differencesOf(step.edits, {
      listeners: state.snapshot.listeners,
      rateLimit: rateLimit(),
      route: (id, hostname) => state.table(id)?.get(hostname),
      rule: (rule) => database.rules.find(rule),
    });
    for (const { rule } of differences) refuseUnknownCountry(rule?.after, state);
    for (const edit of step.edits) {
      if (edit.do !== "put" || edit.object.kind !== "route") continue;
      refuseUnknownCountries(edit.object.route, state, `route ${edit.object.route.hostname}: `);
    }
    const last = step.entries.at(-1);
    if (last === undefined) return;
    const said = new Set(step.edits.map((edit) => JSON.stringify(keyOfEdit(edit))));
    await this.#commit(differences, {
      position: { group, epoch, revision: last.revision, entry: last.id },
      audit: auditOf(step.entries),
      settled: database.settings.unsent.filter((name) => said.has(name)),
    });
  }

  async #commit(differences: readonly Difference[], followed: Followed): Promise<void> {
    const { state, onFollowed } = this.#attached;
    await state.commit(differences, { actor: "mc-proxy", action: "Follow", followed });
    onFollowed(differences);
  }

  async #append(entry: NewEntry, differences: readonly Difference[]): Promise<Followed> {
    const { group, epoch } = this.position;
    const appended = await this.#turns.append(entry);
    if (appended.status === "unfit") throw unfit(appended.unfit);
    const { status, revision } = appended;
    if (status === "stale") throw new StaleError(revision);
    const settled = differences.flatMap(({ rule }) => namesOf(rule));
    return { position: { group, epoch, revision, entry: entry.id }, settled };
  }

  #entryOf(differences: readonly Difference[], operation: Operation): NewEntry {
    const edits = differences.flatMap((difference) => difference.edits);
    const by = { actor: operation.actor, action: operation.action, time: 0 };
    const audit = differences.map((difference): AuditLine => {
      const { subject, before, after } = auditEntry(difference, by);
      return [subject, before, after];
    });
    return this.#stamped(operation, edits, audit);
  }

  #stamped(
    { actor, action }: Pick<Operation, "actor" | "action">,
    edits: readonly Edit[],
    audit: readonly AuditLine[],
  ): NewEntry {
    const { epoch, revision: after } = this.position;
    const time = this.#options.now();
    return { id: crypto.randomUUID(), epoch, after, time, actor, action, edits, audit };
  }

  get #attached(): GroupTarget {
    if (this.#target === undefined) throw new TypeError("the group changes nothing yet");
    return this.#target;
  }
}

/** Whether PostgreSQL has not answered when a turn was asked for. */
function isSilence(error: unknown): boolean {
  const { cause } = Object(error) as { cause?: unknown };
  return cause instanceof FleetLinkError && cause.isUncertain;
}

/** Proxies of several versions serve the group, and not all know what this one says. */
function unfit(proxies: readonly string[]): RefusedError {
  const message = `not all proxies of the group understand this change: upgrade ` +
    `${proxies.join(", ")} first, or take those that are gone for good off the list ` +
    "(`mcproxyctl fleet forget NAME`); nothing has changed";
  return new RefusedError("failed_precondition", message);
}

function refuse(error: unknown, outcome: string = NOTHING_DONE): never {
  if (error instanceof RefusedError && error.code === "shutting_down") throw error;
  const message = `the group cannot be written: ${describeError(error)}; ${outcome}`;
  throw new RefusedError("unavailable", message, { cause: error });
}

/** Whom a country rule means nobody knows here: it would be a hole that nobody sees. */
function refuseUnknownCountry(rule: RuleSettings | undefined, { snapshot }: ServedState): void {
  if (rule?.type !== "country" || snapshot.firewall.geoip !== undefined) return;
  throw new RefusedError(
    "failed_precondition",
    `the group has a rule for the country ${rule.value}, and this proxy has no GeoIP database`,
  );
}

function namesOf(rule: Difference["rule"]): string[] {
  return [rule?.before, rule?.after].filter((it) => it !== undefined).map(nameOfRule);
}

function keyOfEdit(edit: Edit): readonly string[] {
  return edit.do === "put" ? keyOf(edit.object) : edit.key;
}
