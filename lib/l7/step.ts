import type { Exchange } from "./exchange.ts";
import type { L7Connection } from "./l7_connection.ts";
import type { Answer } from "./answer.ts";
import type { ClientFacts } from "./request_fields.ts";

/** A request on its way to a backend. */
export interface Asked {
  readonly exchange: Exchange;
  readonly connection: L7Connection;
  readonly facts: ClientFacts;
  /** Whose share of a backend it takes. */
  readonly share: string;
}

/** What a request meets on its way: it goes on, or is answered, at once or later. */
export type Step = (asked: Asked) => Answer | undefined | Promise<Answer | undefined>;

/** Has a request meet the steps from number `from` on, up to the first that answers it. */
export function meetSteps(
  steps: readonly Step[],
  asked: Asked,
  from = 0,
): Answer | undefined | Promise<Answer | undefined> {
  for (let i = from; i < steps.length; i++) {
    const answer = steps[i]?.(asked);
    if (answer === undefined) continue;
    if (!(answer instanceof Promise)) return answer;
    return answer.then((later) =>
      later ?? (asked.exchange.over ? undefined : meetSteps(steps, asked, i + 1))
    );
  }
  return undefined;
}
