import { type FleetLink, FleetLinkError, type Member } from "../fleet/mod.ts";
import { missing, RefusedError } from "../queue/mod.ts";
import { type FleetStatus, parseFleetStatus } from "./fleet_status.ts";
import type { Operation } from "./operation.ts";
import type { ServedState } from "./served_state.ts";

/** How often members are looked at by whoever waits for them. */
const POLL_MS = 20;

/** Whom to wait for. */
export const FLEET_WAITS = ["all", "quorum", "local"] as const;

/** One of {@link FLEET_WAITS}. */
export type FleetWait = typeof FLEET_WAITS[number];

/** A proxy of the group. */
export interface SeenMember extends Omit<Member, "status"> {
  /** How many revisions it is behind. */
  readonly lag: number;
  /** Absent: nothing is known. */
  readonly status: FleetStatus | undefined;
}

/** The group, as its proxies have reported. */
export interface SeenFleet {
  readonly group: string;
  readonly revision: number;
  readonly members: readonly SeenMember[];
}

/** Where a revision is in effect. */
export interface InEffect {
  readonly reached: boolean;
  readonly revision: number;
  readonly inEffect: readonly string[];
  readonly missing: readonly string[];
}

/** What is asked of the group as a whole. */
export class FleetView {
  readonly #link: FleetLink;
  readonly #state: ServedState;

  constructor({ link, state }: { readonly link: FleetLink; readonly state: ServedState }) {
    this.#link = link;
    this.#state = state;
  }

  /** @throws {RefusedError} `unavailable` */
  async list(): Promise<SeenFleet> {
    return await reachable(async () => {
      const [head, members] = await Promise.all([
        this.#link.head(0),
        this.#link.members(),
      ]);
      // Of two answers that are not of one moment none is to be behind the other.
      const revision = Math.max(head.revision, ...members.map((member) => member.revision));
      return {
        group: this.#link.options.group,
        revision,
        members: members.map((member) => ({
          ...member,
          lag: revision - member.revision,
          status: parseFleetStatus(member.status),
        })),
      };
    });
  }

  /**
   * Waits until a revision is in effect at those who are waited for, or the time is over.
   *
   * @throws {RefusedError} `unavailable`
   */
  async wait(
    { revision, wait, deadlineMs }: {
      readonly revision: number;
      readonly wait: FleetWait;
      readonly deadlineMs: number;
    },
    signal: AbortSignal,
  ): Promise<InEffect> {
    const { proxy: own } = this.#link.options;
    const until = performance.now() + deadlineMs;
    for (;;) {
      const members = await reachable(() => this.#link.members());
      const has = (member: Pick<Member, "proxy" | "revision">) =>
        (member.proxy === own ? this.#state.revision : member.revision) >= revision;
      const known = members.some(({ proxy }) => proxy === own)
        ? members
        : [...members, { proxy: own, revision: 0 }];
      const found = {
        revision,
        inEffect: known.filter(has).map(({ proxy }) => proxy),
        missing: known.filter((member) => !has(member)).map(({ proxy }) => proxy),
      };
      const reached = isReached(wait, { ...found, own });
      if (reached || performance.now() >= until || signal.aborted) return { reached, ...found };
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /**
   * Has a proxy take no new connections, or take them again. The revision that says so; 0: it was so.
   *
   * @throws {RefusedError} `not_found`, `unavailable`
   */
  async setDrained(
    name: string,
    { isDrained, actor, now }: Pick<Operation, "actor"> & {
      readonly isDrained: boolean;
      /** Milliseconds since 1970. */
      readonly now: number;
    },
  ): Promise<number> {
    const wish = { isDrained, actor, time: now };
    const revision = await reachable(() => this.#link.setDrain(name, wish));
    if (revision === undefined) throw missing(`the proxy ${name}`);
    return revision;
  }

  /** @throws {RefusedError} `not_found`, `unavailable` */
  async forget(name: string): Promise<void> {
    if (!await reachable(() => this.#link.forget(name))) throw missing(`the proxy ${name}`);
  }
}

function isReached(
  wait: FleetWait,
  { inEffect, missing, own }: {
    readonly inEffect: readonly string[];
    readonly missing: readonly string[];
    readonly own: string;
  },
): boolean {
  switch (wait) {
    case "all":
      return missing.length === 0;
    case "quorum":
      return inEffect.length > missing.length;
    case "local":
      return inEffect.includes(own);
  }
}

async function reachable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof FleetLinkError)) throw cause;
    throw new RefusedError("unavailable", cause.message, { cause });
  }
}
