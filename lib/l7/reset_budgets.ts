import { type IpAddress, sourceKey } from "../addr/mod.ts";
import { Budget, type Rate } from "../h2/mod.ts";

/** Addresses remembered; who falls out gets a full budget again. */
const MAX_ADDRESSES = 8192;
/**
 * What the connections of one address may reset together: four times what one of them may. Many
 * people can be behind one address, but what their finished requests earn counts here too.
 */
const PER_ADDRESS: Rate = { burst: 1600, perSecond: 160 };

/**
 * One budget of resets for each client address (IPv6: each /64, what one customer gets). A new
 * connection would otherwise be a new budget, and connections are cheap.
 */
export class ResetBudgets {
  readonly #budgets = new Map<string, Budget>();

  /** Addresses that are remembered. */
  get size(): number {
    return this.#budgets.size;
  }

  /** The budget of an address. */
  of(ip: IpAddress): Budget {
    const key = sourceKey(ip);
    const budget = this.#budgets.get(key) ?? new Budget(PER_ADDRESS);
    // To the end, so that the first is the one that was not asked for longest.
    this.#budgets.delete(key);
    this.#budgets.set(key, budget);
    if (this.#budgets.size > MAX_ADDRESSES) {
      for (const oldest of this.#budgets.keys()) {
        this.#budgets.delete(oldest);
        break;
      }
    }
    return budget;
  }
}
