/** Informational heads of one response that are passed on; the client has no way to refuse them. */
const MAX_FORWARDED = 8;
/** A backend that sends more of them than this does not mean to answer. */
const MAX_INTERIM = 64;

/** The informational heads of one response: which of them the client sees, and when it is enough. */
export class Interim {
  #count = 0;

  /** Something of an answer has come. */
  get came(): boolean {
    return this.#count > 0;
  }

  /** What to do with the next one, or why the response cannot go on. */
  judge(status: number): "pass" | "drop" | { readonly reason: string } {
    if (++this.#count > MAX_INTERIM) return { reason: "too many informational responses" };
    if (status === 101) return { reason: "the backend switched protocols unasked" };
    // 100 was this hop's to send.
    return status === 100 || this.#count > MAX_FORWARDED ? "drop" : "pass";
  }
}
