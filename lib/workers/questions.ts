import type { ReplyValues, Request, TakenCounts } from "../plane/mod.ts";
import type { Slot } from "./slot.ts";

const QUERY_TIMEOUT_MS = 2000;

/** Asks the workers that serve. One that is late is left out: it would have all of it to answer. */
export class Questions {
  readonly #slots: readonly Slot[];
  readonly #lateCounts: TakenCounts[] = [];

  constructor(slots: readonly Slot[]) {
    this.#slots = slots;
  }

  /** The answers of those that are on time. */
  async ask<K extends keyof ReplyValues>(
    request: Extract<Request, { type: K }>,
  ): Promise<ReplyValues[K][]> {
    const replies = await Promise.allSettled(
      this.#serving(false).map(({ handle }) => handle?.request(request, QUERY_TIMEOUT_MS)),
    );
    return replies
      .map((reply) => reply.status === "fulfilled" ? reply.value?.value : undefined)
      .filter((value) => value !== undefined) as ReplyValues[K][];
  }

  /** {@link ask}, for what late workers are to do too as soon as they can; nobody waits for them. */
  command<K extends "close_connection" | "close_connections">(
    request: Extract<Request, { type: K }>,
  ): Promise<ReplyValues[K][]> {
    for (const { handle } of this.#serving(true)) {
      handle?.request(request, QUERY_TIMEOUT_MS).catch(() => {}); // Not waited for.
    }
    return this.ask<K>(request);
  }

  /** What a worker answers too late is not lost: it is there the next time. */
  async takeCounts(): Promise<TakenCounts[]> {
    const taken = this.#lateCounts.splice(0);
    const asked = this.#serving(false).map(async ({ handle }) => {
      const counts = handle?.takeCounts();
      const late = Promise.withResolvers<undefined>();
      const timer = setTimeout(late.resolve, QUERY_TIMEOUT_MS, undefined);
      const found = await Promise.race([counts, late.promise]).catch(() => undefined);
      clearTimeout(timer);
      if (found !== undefined) taken.push(found);
      else counts?.then((value) => this.#lateCounts.push(value), () => {}); // Died with them.
    });
    await Promise.all(asked);
    return taken;
  }

  #serving(late: boolean): Slot[] {
    return this.#slots.filter(({ state, lateMs }) => state === "serving" && (lateMs > 0) === late);
  }
}
