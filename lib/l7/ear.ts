import type { Heard } from "../upstream/mod.ts";

/** How every answer of HTTP/1.x begins. */
const HTTP1 = Uint8Array.from("HTTP/1.", (char) => char.charCodeAt(0));

/** Listens to the first octets of a connection, to tell HTTP/1.1 from whatever else. */
export class Ear {
  #matched = 0;
  #heard: Heard = "nothing";

  get heard(): Heard {
    return this.#heard;
  }

  hear(bytes: Uint8Array): void {
    if (this.#heard === "http/1.1" || (this.#heard === "other" && this.#matched < 0)) return;
    for (const octet of bytes) {
      if (octet !== HTTP1[this.#matched]) {
        this.#matched = -1;
        break;
      }
      if (++this.#matched === HTTP1.length) break;
    }
    this.#heard = this.#matched === HTTP1.length ? "http/1.1" : "other";
  }
}
