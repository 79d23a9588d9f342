import type { FleetConnection } from "./connection.ts";

/** An authority and a name at it. */
export interface OrderName {
  /** URL of the authority. */
  readonly directory: string;
  readonly name: string;
}

/** That it is a proxy's turn to order. */
export interface HeldTurn extends OrderName {
  /** What tells this turn from those before and after it. */
  readonly fence: number;
}

/** Whose turn it is. */
export type Taken =
  | {
    readonly status: "ours";
    readonly turn: HeldTurn;
    /** What the last holder has noted; empty: nothing is under way. */
    readonly note: string;
  }
  | {
    readonly status: "wait";
    readonly waitMs: number;
    /** Who has it; empty: nobody may yet. */
    readonly holder: string;
  };

/** How long a turn lasts, and how many there are. */
export interface TurnLimits {
  /** Unless it is kept. */
  readonly leaseMs: number;
  /** Of a name, by all proxies; 0: any number. */
  readonly maxAnHour: number;
  /** At an authority, by all proxies; 0: any number. */
  readonly maxThreeHours: number;
}

/** What is to be shown for a name, as another proxy has written it. */
export interface FoundProof extends OrderName {
  readonly id: string;
  readonly fence: number;
  /** Who orders. */
  readonly proxy: string;
  readonly proof: string;
  /** How long the turn lasts, unless it is kept. */
  readonly leftMs: number;
}

/** Who shows a proof, and who might. */
export interface ProofReach {
  /** That it is still to be shown. */
  readonly isThere: boolean;
  readonly shown: readonly string[];
  /** Proxies that have said something lately. */
  readonly alive: readonly string[];
}

/** After so long without a word a proxy is not waited for; each says something every second. */
const SILENT_SECONDS = 5;

const TAKE = `SELECT fence::float8 AS fence, wait_ms::float8 AS "waitMs", holder, note
  FROM mc_proxy_fleet.take_order($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::integer,
    $7::integer)`;
const KEEP = `SELECT mc_proxy_fleet.keep_order($1::text, $2::text, $3::text, $4::bigint,
  $5::bigint) AS ok`;
const NOTE = `SELECT mc_proxy_fleet.note_order($1::text, $2::text, $3::text, $4::bigint,
  $5::text) AS ok`;
const END = `SELECT mc_proxy_fleet.end_order($1::text, $2::text, $3::text, $4::bigint, $5::bigint,
  $6::text) AS ok`;
const SHOW = `SELECT mc_proxy_fleet.show_proof($1::text, $2::text, $3::text, $4::bigint,
  $5::text)::text AS id`;
const HIDE = "SELECT mc_proxy_fleet.hide_proof($1::text, $2::uuid)";
const SAY_SHOWN = "SELECT mc_proxy_fleet.say_shown($1::text, $2::text, $3::uuid[])";
const PROOFS = `SELECT c.id::text AS id, c.directory, c.name, c.fence::float8 AS fence, o.proxy,
    c.proof, extract(epoch FROM o.expires_at - clock_timestamp())::float8 * 1000 AS "leftMs"
  FROM mc_proxy_fleet.challenges c JOIN mc_proxy_fleet.orders o USING (group_name, directory, name)
  WHERE c.group_name = $1::text AND c.fence = o.fence AND o.expires_at > clock_timestamp()
  ORDER BY c.name COLLATE "C" LIMIT 1000`;
const REACH = `SELECT
  (SELECT coalesce(json_agg(m.proxy), '[]')::text FROM mc_proxy_fleet.members m
    WHERE m.group_name = $1::text
      AND m.seen_at > clock_timestamp() - interval '${SILENT_SECONDS} s') AS alive,
  (SELECT to_json(c.shown)::text FROM mc_proxy_fleet.challenges c
    WHERE c.group_name = $1::text AND c.id = $2::uuid) AS shown`;

/** Whose turn it is to order certificates, in PostgreSQL, as one proxy of the group meets it. */
export class GroupOrders {
  readonly #connection: FleetConnection;
  readonly #group: string;
  /** How this proxy is called. */
  readonly proxy: string;

  constructor(
    connection: FleetConnection,
    { group, proxy }: { readonly group: string; readonly proxy: string },
  ) {
    this.#connection = connection;
    this.#group = group;
    this.proxy = proxy;
  }

  /** @throws {FleetLinkError} */
  async take(of: OrderName, { leaseMs, maxAnHour, maxThreeHours }: TurnLimits): Promise<Taken> {
    const { directory, name } = of;
    const [row = {}] = await this.#connection.ask(TAKE, [
      ...[this.#group, directory, name, this.proxy],
      ...[Math.round(leaseMs), maxAnHour, maxThreeHours],
    ]);
    if (row.fence === null || row.fence === undefined) {
      return { status: "wait", waitMs: Number(row.waitMs), holder: String(row.holder) };
    }
    const turn = { directory, name, fence: Number(row.fence) };
    return { status: "ours", turn, note: String(row.note) };
  }

  /**
   * Whether it is this proxy's turn still, which then lasts so long from now.
   *
   * @throws {FleetLinkError}
   */
  async keep({ directory, name, fence }: HeldTurn, leaseMs: number): Promise<boolean> {
    return await this.#isDone(KEEP, [directory, name, fence, Math.round(leaseMs)]);
  }

  /**
   * Notes how far the order has come; whether it is this proxy's turn still.
   *
   * @throws {FleetLinkError}
   */
  async note({ directory, name, fence }: HeldTurn, note: string): Promise<boolean> {
    return await this.#isDone(NOTE, [directory, name, fence, note]);
  }

  /**
   * Ends a turn, and leaves a note to the next.
   *
   * @param options `waitMs`: the next one begins so much later at the earliest.
   * @throws {FleetLinkError}
   */
  async end(
    { directory, name, fence }: HeldTurn,
    { waitMs, note }: { readonly waitMs: number; readonly note: string },
  ): Promise<boolean> {
    return await this.#isDone(END, [directory, name, fence, Math.ceil(waitMs), note]);
  }

  /**
   * Has all proxies show a proof; gives its id, or nothing if the turn is over.
   *
   * @throws {FleetLinkError}
   */
  async show({ directory, name, fence }: HeldTurn, proof: string): Promise<string | undefined> {
    const values = [this.#group, directory, name, fence, proof];
    const [row] = await this.#connection.ask(SHOW, values);
    return typeof row?.id === "string" ? row.id : undefined;
  }

  /** @throws {FleetLinkError} */
  async hide(id: string): Promise<void> {
    await this.#connection.ask(HIDE, [this.#group, id]);
  }

  /**
   * Says that this proxy shows proofs.
   *
   * @throws {FleetLinkError}
   */
  async sayShown(ids: readonly string[]): Promise<void> {
    await this.#connection.ask(SAY_SHOWN, [this.#group, this.proxy, `{${ids.join(",")}}`]);
  }

  /**
   * What is to be shown, this proxy's own included.
   *
   * @throws {FleetLinkError}
   */
  async proofs(): Promise<FoundProof[]> {
    const rows = await this.#connection.ask(PROOFS, [this.#group]);
    return rows.map((row) => ({ ...row }) as unknown as FoundProof);
  }

  /** @throws {FleetLinkError} */
  async reach(id: string): Promise<ProofReach> {
    const [row] = await this.#connection.ask(REACH, [this.#group, id]);
    const shown: string[] | null = JSON.parse(String(row?.shown ?? null));
    return {
      isThere: shown !== null,
      shown: shown ?? [],
      alive: JSON.parse(String(row?.alive ?? "[]")),
    };
  }

  async #isDone(statement: string, values: readonly (string | number)[]): Promise<boolean> {
    const [row] = await this.#connection.ask(statement, [this.#group, ...values]);
    return row?.ok === true;
  }
}
