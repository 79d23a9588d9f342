import type { IpAddress } from "../addr/mod.ts";

/** Asks other servers what the zones here do not know. */
export interface Forwarder {
  /**
   * The answer to a question, whole, with the question's id, in its case, and with EDNS where the
   * question had it; undefined: there is none, and the client is refused. It never rejects. What is
   * too long for UDP is cut by whoever asked.
   *
   * @param query as it came: one question of class IN, EDNS of version 0 or none.
   */
  resolve(query: Uint8Array, client: IpAddress): Promise<Uint8Array | undefined>;
}
