import type { FoundSecret, GroupSecrets, Sealer } from "../fleet/mod.ts";
import type { LogSink } from "../observe/mod.ts";

/** One thing that this proxy has and its group shares. */
export interface OwnSecret {
  readonly name: string;
  /** Tells it from another one; not of what changes without being another one. */
  readonly digest: string;
  readonly content: string;
}

/** What of this proxy is shared with its group, and takes what others have shared. */
export interface SharedKind {
  /** What names of this kind begin with, a blank behind it. */
  readonly kind: string;
  /** Whether what was shared is to be kept as it is: nothing else here has it. */
  readonly keepsContent?: boolean;
  /** What is here now. */
  list(): Iterable<OwnSecret>;
  /**
   * Takes what another proxy has shared, with its version, in one transaction; gives its digest, or why it
   * is not used, in one sentence.
   */
  take(found: OpenedSecret): Promise<Took>;
}

/** What another proxy has shared. */
export interface OpenedSecret {
  readonly name: string;
  readonly version: number;
  readonly content: string;
}

/** What has become of an {@link OpenedSecret}. */
export type Took =
  | { readonly ok: true; readonly digest: string }
  | { readonly ok: false; readonly reason: string };

/** What is known of one thing that is shared. */
export interface KnownSecret {
  readonly version: number;
  readonly digest: string;
  /** Kept as it is; absent: something else has it. */
  readonly content?: string;
}

/** Where a proxy keeps what it knows of what is shared. */
export interface SharedMemory {
  known(name: string): KnownSecret | undefined;
  note(name: string, known: KnownSecret): Promise<void>;
}

/** What a {@link GroupSharing} works with. */
export interface GroupSharingOptions {
  readonly secrets: Pick<GroupSecrets, "read" | "put">;
  readonly sealer: Sealer;
  readonly kinds: readonly SharedKind[];
  readonly memory: SharedMemory;
  /** Makes every worker use what was taken. */
  readonly activate: () => Promise<void>;
  readonly log: LogSink;
}

/** How something lies in PostgreSQL, as it was last seen. */
interface Seen {
  readonly id: string;
  readonly version: number;
  /** What this proxy makes of it: uses it, or has something better, or may not judge it. */
  readonly state: "taken" | "worse" | "unknown";
  readonly isOldKey: boolean;
}

/**
 * Shares what proxies of a group have, through PostgreSQL and past it: each thing has a version that only
 * grows, sealed with it, and a proxy takes nothing older than what it has seen. What is older there, or
 * nobody's, is replaced by what is here.
 */
export class GroupSharing {
  readonly #options: GroupSharingOptions;
  readonly #kinds: ReadonlyMap<string, SharedKind>;
  readonly #seen = new Map<string, Seen>();
  readonly #problems = new Map<string, string>();
  #place = 0;
  /** Only what a start finds is sealed anew: while keys are exchanged, one proxy's first is another's second. */
  #isStarting = true;

  constructor(options: GroupSharingOptions) {
    this.#options = options;
    this.#kinds = new Map(options.kinds.map((kind) => [kind.kind, kind]));
  }

  /** What of the group's is not used, one sentence each. */
  get warnings(): readonly string[] {
    return [...this.#problems].map(([name, problem]) => `the group's ${name}: ${problem}`);
  }

  /**
   * Takes what others have shared, and shares what is here.
   *
   * @throws {FleetLinkError}
   */
  async look(): Promise<void> {
    await this.#readAll();
    // What was put by others meanwhile is read first: then it is tried once more.
    if (!await this.#shareAll()) {
      this.#place = 0;
      await this.#readAll();
      await this.#shareAll();
    }
    this.#isStarting = false;
  }

  async #readAll(): Promise<void> {
    const { secrets, activate } = this.#options;
    let hasTaken = false;
    for (;;) {
      const page = await secrets.read(this.#place);
      if (page.place < this.#place) {
        // A database that was restored has forgotten some, and will use their places again.
        this.#place = 0;
        this.#seen.clear();
        continue;
      }
      for (const secret of page.secrets) hasTaken = await this.#meet(secret) || hasTaken;
      this.#place = page.read;
      if (page.read >= page.place) break;
    }
    if (hasTaken) await activate();
  }

  /** Looks at what lies there; whether it was taken. */
  async #meet(found: FoundSecret): Promise<boolean> {
    const { name, version, id, proxy } = found;
    const kind = this.#kinds.get(name.split(" ", 1)[0] ?? "");
    if (kind === undefined) return false; // Of a newer program.
    const { sealer, memory } = this.#options;
    const opened = await sealer.unseal({ name, version }, found.sealed);
    const seen = (state: Seen["state"], isOldKey = false) =>
      this.#seen.set(name, { id, version, state, isOldKey: isOldKey && this.#isStarting });
    if (!opened.ok) {
      this.#refuse(name, { proxy, reason: opened.reason });
      seen(opened.why === "altered" ? "worse" : "unknown");
      return false;
    }
    const known = memory.known(name);
    if (known !== undefined && version < known.version) {
      const reason =
        `PostgreSQL has version ${version}, and this proxy has seen ${known.version}: ` +
        "it was restored to an older point, or turned back";
      this.#refuse(name, { proxy, reason });
      seen("worse");
      return false;
    }
    if (known?.version === version) {
      this.#problems.delete(name);
      seen("taken", opened.isOld);
      return false;
    }
    const took = await kind.take({ name, version, content: opened.text });
    if (!took.ok) {
      this.#refuse(name, { proxy, reason: took.reason });
      seen("worse");
      return false;
    }
    this.#problems.delete(name);
    seen("taken", opened.isOld);
    this.#options.log({
      level: "info",
      message: "taken from the group",
      fields: { name, version, from: proxy },
    });
    return true;
  }

  /** Whether all that is to be shared was put. */
  async #shareAll(): Promise<boolean> {
    let isDone = true;
    for (const kind of this.#kinds.values()) {
      for (const own of [...kind.list()]) isDone = await this.#share(own, kind) && isDone;
    }
    return isDone;
  }

  async #share(
    { name, digest, content }: OwnSecret,
    { keepsContent = false }: SharedKind,
  ): Promise<boolean> {
    const { secrets, sealer, memory } = this.#options;
    const known = memory.known(name);
    const seen = this.#seen.get(name);
    if (seen?.state === "unknown") return true; // Nobody overwrites what he cannot read.
    const isSame = known?.digest === digest && seen?.state === "taken" &&
      seen.version === known.version;
    if (isSame && !seen.isOldKey) return true;
    // What is only sealed anew stays what it was.
    const version = isSame ? known.version : Math.max(known?.version ?? 0, seen?.version ?? 0) + 1;
    const sealed = await sealer.seal({ name, version }, content);
    if (!await secrets.put({ name, version, sealed }, seen?.id)) return false;
    await memory.note(name, { version, digest, ...keepsContent && { content } });
    this.#problems.delete(name);
    return true;
  }

  #refuse(
    name: string,
    { proxy, reason }: { readonly proxy: string; readonly reason: string },
  ): void {
    if (this.#problems.get(name) === reason) return;
    this.#problems.set(name, reason);
    const message = "what the group shares is not used";
    this.#options.log({ level: "warn", message, fields: { name, from: proxy, reason } });
  }
}
