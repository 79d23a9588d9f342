import { setTimeout as delay } from "node:timers/promises";
import { AcmeError, type ChallengeType, type Proof } from "../acme/mod.ts";
import type { FoundProof, GroupOrders, HeldTurn, SealedAs, Sealer } from "../fleet/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ChallengeBoard, OtherProof } from "./challenge_board.ts";
import type { GroupOrderTurns } from "./group_order_turns.ts";
import type { NameProver } from "./kept_proofs.ts";

const REACH_MS = 5_000;
/** Between two looks at who shows it. */
const REACH_POLL_MS = 50;

/** What {@link GroupProofs} works with. */
export interface GroupProofsOptions {
  readonly orders: Pick<GroupOrders, "proxy" | "show" | "hide" | "reach" | "proofs" | "sayShown">;
  readonly board: Pick<ChallengeBoard, "showOthers">;
  /** Whether some route here wants a certificate of a name. */
  readonly wants: (name: string) => boolean;
  /** How long proxies are waited for that are there and do not show a proof. Default: 5,000. */
  readonly reachMs?: number;
  /** Absent: proofs are written as they are. */
  readonly sealer?: Sealer | undefined;
  readonly log: LogSink;
}

/** The proofs that a group has to show: each proxy shows those of all others. */
export class GroupProofs {
  readonly #options: GroupProofsOptions;
  #shown = new Set<string>();
  /** Said once. */
  #refused = "";
  #expiry: ReturnType<typeof setTimeout> | undefined;

  constructor(options: GroupProofsOptions) {
    this.#options = options;
  }

  /**
   * Shows what PostgreSQL says is to be shown, and says that it is.
   *
   * @throws {FleetLinkError}
   */
  async look(): Promise<void> {
    const { orders, board } = this.#options;
    const read = await Promise.all((await orders.proofs()).map((it) => this.#read(it)));
    const found = read.filter((it) => it !== undefined);
    await board.showOthers(found.map(({ proof }) => proof));
    this.#expireIn(Math.min(...found.map(({ leftMs }) => leftMs)));
    const fresh = found.filter(({ proof: { id } }) => !this.#shown.has(id));
    if (fresh.length > 0) await orders.sayShown(fresh.map(({ proof: { id } }) => id));
    this.#shown = new Set(found.map(({ proof: { id } }) => id));
  }

  /**
   * Has all proxies of the group show a proof. Resolves when those do that are there, or when they had
   * time enough: then validators may meet one that does not.
   *
   * @throws {AcmeError} `cancelled` if it is not this proxy's turn.
   * @throws {FleetLinkError}
   */
  async publish(
    turn: HeldTurn,
    { type, token, keyAuthorization }: Proof & { readonly type: ChallengeType },
    signal: AbortSignal,
  ): Promise<string> {
    const { orders, sealer, log, reachMs = REACH_MS } = this.#options;
    const text = JSON.stringify({ type, token, keyAuthorization });
    const id = await orders.show(turn, sealer ? await sealer.seal(sealedAs(turn), text) : text);
    if (id === undefined) throw notOurs();
    const until = performance.now() + reachMs;
    for (;;) {
      const { isThere, shown, alive } = await orders.reach(id);
      if (!isThere || signal.aborted) throw notOurs();
      const missing = alive.filter((proxy) => proxy !== orders.proxy && !shown.includes(proxy));
      if (missing.length === 0) return id;
      if (performance.now() >= until) {
        const fields = { hostname: turn.name, proxies: missing.sort().join(", ") };
        log({ level: "warn", message: "proxies of the group do not show a proof in time", fields });
        return id;
      }
      await delay(REACH_POLL_MS);
    }
  }

  /** Has nobody show it any more. Never fails: it ends with the turn. */
  async withdraw(id: string): Promise<void> {
    await this.#options.orders.hide(id).catch(() => {});
  }

  close(): void {
    clearTimeout(this.#expiry);
  }

  /** Of others alone; and of names alone that are to be proved here, whatever PostgreSQL says. */
  async #read(found: FoundProof): Promise<ReadProof | undefined> {
    const { orders, wants, sealer, log } = this.#options;
    const { id, name, proxy, leftMs } = found;
    if (proxy === orders.proxy || !wants(name)) return undefined;
    const opened = await sealer?.unseal(sealedAs(found), found.proof);
    const text = opened === undefined ? found.proof : opened.ok ? opened.text : "";
    const proof = parseProof(text);
    if (proof !== undefined) return { proof: { id, name, ...proof }, leftMs };
    if (this.#refused === id) return undefined;
    this.#refused = id;
    const reason = opened?.ok === false ? opened.reason : "it is of no form that is known";
    const fields = { hostname: name, proxy, reason };
    log({ level: "warn", message: "a proof of the group is none that this program shows", fields });
    return undefined;
  }

  /** What nobody says any more that it is to be shown is not. */
  #expireIn(ms: number): void {
    clearTimeout(this.#expiry);
    if (!Number.isFinite(ms)) return;
    this.#expiry = setTimeout(() => {
      this.#shown.clear();
      this.#options.board.showOthers([]).catch((error) => {
        const fields = { error: describeError(error) };
        this.#options.log({ level: "debug", message: "a proof could not be taken back", fields });
      });
    }, ms);
  }
}

interface ReadProof {
  readonly proof: OtherProof;
  readonly leftMs: number;
}

function sealedAs({ directory, name, fence }: HeldTurn): SealedAs {
  return { name: `proof ${directory} ${name}`, version: fence };
}

/** Shows proofs here, and has the others of the group show them. */
export class GroupProver implements NameProver {
  readonly type: ChallengeType;
  readonly #board: ChallengeBoard;
  readonly #proofs: GroupProofs;
  readonly #turns: Pick<GroupOrderTurns, "held">;
  readonly #published = new Map<string, string>();

  constructor(
    { board, proofs, turns }: {
      readonly board: ChallengeBoard;
      readonly proofs: GroupProofs;
      readonly turns: Pick<GroupOrderTurns, "held">;
    },
  ) {
    this.type = board.type;
    this.#board = board;
    this.#proofs = proofs;
    this.#turns = turns;
  }

  async show(proof: Proof, signal: AbortSignal): Promise<void> {
    await this.#board.show(proof);
    const turn = this.#turns.held(proof.name);
    if (turn === undefined) throw notOurs();
    try {
      const shown = { ...proof, type: this.type };
      this.#published.set(proof.name, await this.#proofs.publish(turn.held, shown, signal));
    } catch (error) {
      // Of what the others show nothing is known: another one is to try, or this one anew.
      turn.lose(describeError(error));
      throw notOurs(error);
    }
  }

  async hide(proof: Proof): Promise<void> {
    await this.#board.hide(proof);
    const id = this.#published.get(proof.name);
    this.#published.delete(proof.name);
    if (id !== undefined) await this.#proofs.withdraw(id);
  }

  async forget(name: string): Promise<void> {
    await this.#board.forget(name);
  }
}

function notOurs(cause?: unknown): AcmeError {
  return new AcmeError("cancelled", "it is another proxy's turn", { cause });
}

/** What another proxy has written; nothing if it is not of a form that is shown here. */
function parseProof(
  text: string,
): Pick<OtherProof, "type" | "token" | "keyAuthorization"> | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { type, token, keyAuthorization } = Object(given) as Record<string, unknown>;
  const isShown = type === "http-01" || type === "tls-alpn-01";
  // RFC 8555 §8.1, §8.3: what it is made of, and the end of a path.
  const isToken = typeof token === "string" && /^[\w-]{1,256}$/.test(token);
  const isProof = typeof keyAuthorization === "string" &&
    /^[\w-]{1,256}\.[\w-]{43}$/.test(keyAuthorization);
  return isShown && isToken && isProof && keyAuthorization.startsWith(`${token}.`)
    ? { type, token, keyAuthorization }
    : undefined;
}
