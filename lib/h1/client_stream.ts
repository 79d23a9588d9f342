import type { Fields } from "../http/mod.ts";
import type { H1ClientStream } from "./types.ts";

/** What a stream asks of its session. */
export interface ClientStreamPort {
  sendData(stream: ClientStream, bytes: Uint8Array, end: boolean): boolean;
  sendTrailers(stream: ClientStream, fields: Fields): void;
  consume(octets: number): void;
  reset(): void;
}

/** A request as its session sees it: the public face and the state behind it. */
export class ClientStream implements H1ClientStream {
  context: unknown = undefined;
  closed = false;
  readonly isHead: boolean;
  /** The protocol of an upgrade, in lower case; empty: none. */
  readonly protocol: string;
  /** Its head was taken to be written. */
  sent = false;
  /** Not one octet of an answer has come. */
  untouched = true;
  /** A final head has come. */
  answered = false;
  /** All of the answer has come. */
  received = false;
  /** The connection may go on after the answer. */
  reusable = true;
  /** A 101 has opened the tunnel. */
  tunnelOpen = false;
  /** What the owner gave a tunnel before it was open, and whether it ended it. */
  readonly early: Uint8Array[] = [];
  earlyEnd = false;
  readonly #port: ClientStreamPort;

  constructor(
    port: ClientStreamPort,
    { isHead, protocol }: { readonly isHead: boolean; readonly protocol: string },
  ) {
    this.#port = port;
    this.isHead = isHead;
    this.protocol = protocol;
  }

  sendData(bytes: Uint8Array, end = false): boolean {
    return this.closed || this.#port.sendData(this, bytes, end);
  }

  sendTrailers(fields: Fields): void {
    if (!this.closed) this.#port.sendTrailers(this, fields);
  }

  consume(octets: number): void {
    if (!this.closed) this.#port.consume(octets);
  }

  reset(_code = 0): void {
    if (!this.closed) this.#port.reset();
  }
}
