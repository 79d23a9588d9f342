import type { AcmeConfig } from "../config/mod.ts";
import type { FleetLink, Sealer } from "../fleet/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { ChallengeBoard } from "./challenge_board.ts";
import { GroupProofs, GroupProver } from "./group_proofs.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import { GroupSharing } from "./group_sharing.ts";
import { type HeldFiles, sharedAccount, sharedCertificates, sharedPairs } from "./shared_kinds.ts";
import { GroupOrderTurns } from "./group_order_turns.ts";
import type { NameProver } from "./kept_proofs.ts";
import type { OrderTurns } from "./order_turns.ts";
import type { ServedState } from "./served_state.ts";

/** How often the group's proofs are looked at, heard of or not. */
const BEAT_MS = 1_000;

/** What a {@link GroupIssuance} works with. */
export interface GroupIssuanceOptions {
  readonly link: FleetLink;
  readonly state: ServedState;
  /** Absent: this proxy orders nothing, and shows what others have to prove. */
  readonly acme: AcmeConfig | undefined;
  /** Names that want a certificate here. */
  readonly wanted: () => ReadonlySet<string>;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What is shared, if anything is. */
  readonly sharing?: GroupSharingParts | undefined;
  /** How long a turn lasts that nobody keeps; tests wait less. */
  readonly leaseMs?: number | undefined;
}

/** What certificates are shared with. */
export interface GroupSharingParts {
  readonly sealer: Sealer;
  readonly store: IssuanceStore;
  /** What this proxy has read of files. */
  readonly held: () => Iterable<HeldFiles>;
  /** Makes every worker use what was taken. */
  readonly activate: () => Promise<void>;
}

/**
 * What a group of proxies has in common when certificates are ordered: whose turn it is, and what proves
 * a name. It is followed for as long as the proxy runs.
 */
export class GroupIssuance implements AsyncDisposable {
  readonly #options: GroupIssuanceOptions;
  readonly #board: ChallengeBoard;
  readonly #proofs: GroupProofs;
  readonly #turns: GroupOrderTurns | undefined;
  readonly #sharing: GroupSharing | undefined;
  /** One look at a time: two would share the same twice. */
  #sharingNow: Promise<void> = Promise.resolve();
  #beat: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> | undefined;
  #isAsked = false;
  #isClosed = false;
  #problem: string | undefined;
  #onTurns: () => void = () => {};
  #onAccount: () => void = () => {};

  constructor(options: GroupIssuanceOptions) {
    this.#options = options;
    const { link: { orders }, acme, wanted, log, leaseMs } = options;
    const type = acme?.challenge === "http-01" ? "http-01" : "tls-alpn-01";
    this.#board = new ChallengeBoard(type, options);
    const wants = (name: string) => wanted().has(name);
    const { sharing } = options;
    const sealer = sharing?.sealer;
    this.#proofs = new GroupProofs({ orders, board: this.#board, wants, sealer, log });
    this.#sharing = sharing && openSharing(sharing, options, () => this.#onAccount());
    this.#turns = acme && new GroupOrderTurns({
      ...{ orders, directory: acme.directory, log, leaseMs },
      sharing: sharing && {
        sealer: sharing.sealer,
        hasAccount: () => (sharing.store.account(acme.directory)?.url ?? "") !== "",
        look: () => this.#share(),
      },
    });
  }

  /** What of the group's certificates is not used, one sentence each. */
  get warnings(): readonly string[] {
    return this.#sharing?.warnings ?? [];
  }

  /** Who orders, for a proxy that does. */
  get turns(): OrderTurns | undefined {
    return this.#turns;
  }

  /** Shows proofs here and at the others; absent: this proxy orders nothing. */
  get prover(): NameProver | undefined {
    const turns = this.#turns;
    return turns && new GroupProver({ board: this.#board, proofs: this.#proofs, turns });
  }

  /** Begins to follow; `onTurns` is called when others may have had their turn. */
  start(onTurns: () => void): void {
    this.#onTurns = onTurns;
    this.#beat = setInterval(() => void this.look(), BEAT_MS);
    void this.look();
  }

  /** Calls `body` when this proxy has the group's account instead of its own. */
  onAccount(body: () => void): void {
    this.#onAccount = body;
  }

  /** PostgreSQL says that something has changed. */
  announced(): void {
    // A certificate that has come need not be ordered.
    void this.look().then(() => this.#onTurns());
  }

  /** Looks once, or once more if that is being done. Never fails. */
  look(): Promise<void> {
    this.#isAsked = true;
    return this.#looking ??= this.#look().finally(() => this.#looking = undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beat);
    await this.#looking;
    this.#proofs.close();
  }

  async #share(): Promise<void> {
    if (this.#sharing === undefined || this.#isClosed) return;
    const turn = this.#sharingNow.then(() => this.#sharing?.look());
    this.#sharingNow = turn.catch(() => {}); // Its own caller was told.
    await turn;
  }

  async #look(): Promise<void> {
    const { state, log } = this.#options;
    while (this.#isAsked && !this.#isClosed) {
      this.#isAsked = false;
      // It is the other process's business, until it gives the database back.
      if ((state.database.role?.look() ?? "ours") !== "ours") return;
      try {
        await this.#proofs.look();
        await this.#share();
        if (this.#problem !== undefined) this.#onTurns(); // Whoever could not ask for his turn can.
        this.#problem = undefined;
      } catch (error) {
        if (this.#isClosed) return;
        // What hinders it is mostly what following the log meets too, and is said there.
        const problem = describeError(error);
        if (problem === this.#problem) continue;
        this.#problem = problem;
        const message = "what the group shares cannot be looked at";
        log({ level: "debug", message, fields: { error: problem } });
      }
    }
  }
}

function openSharing(
  { sealer, store, held, activate }: GroupSharingParts,
  { link: { secrets }, acme, wanted, now, log }: GroupIssuanceOptions,
  onTaken: () => void,
): GroupSharing {
  const directory = acme?.directory;
  return new GroupSharing({
    ...{ secrets, sealer, activate, log },
    kinds: [
      sharedAccount({ store, directory, onTaken }),
      sharedCertificates({ store, directory, wanted, now }),
      sharedPairs({ store, held }),
    ],
    memory: store,
  });
}
