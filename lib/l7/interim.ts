import type { HttpLimits } from "./http_limits.ts";

/** The informational heads of one response: which of them the client sees, and when it is enough. */
export class Interim {
  readonly #limits: Pick<HttpLimits, "maxInterim" | "maxInterimForwarded">;
  #count = 0;

  constructor(limits: Pick<HttpLimits, "maxInterim" | "maxInterimForwarded">) {
    this.#limits = limits;
  }

  /** What to do with the next one, or why the response cannot go on. */
  judge(status: number): "pass" | "drop" | { readonly reason: string } {
    const { maxInterim, maxInterimForwarded } = this.#limits;
    if (++this.#count > maxInterim) return { reason: "too many informational responses" };
    if (status === 101) return { reason: "the backend switched protocols unasked" };
    // 100 was this hop's to send.
    return status === 100 || this.#count > maxInterimForwarded ? "drop" : "pass";
  }
}
