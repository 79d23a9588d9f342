import type { Fields, ResponseInit } from "../http/mod.ts";
import type { AbuseGuard } from "./abuse.ts";
import { ErrorCode, H2StateError } from "./error_codes.ts";
import type { Forsaken } from "./forsaken.ts";
import { checkFields } from "./header_rules.ts";
import type { Limits } from "./limits.ts";
import { statusPseudo } from "./pseudo_headers.ts";
import type { Sender } from "./sender.ts";
import type { StreamImpl, StreamPort } from "./stream.ts";

/** What the calls need of the connection that the streams belong to. */
export interface OwnerHost {
  readonly role: "server" | "client";
  readonly limits: Limits;
  readonly sender: Sender;
  readonly guard: AbuseGuard;
  readonly forsaken: Forsaken;
  readonly now: number;
  /** Enough output waits for the owner's flush. */
  readonly congested: boolean;
  /** END_STREAM of this stream is framed. */
  onLocalEnd(stream: StreamImpl): void;
  /** Opens the connection's window again. */
  credit(octets: number): void;
  /** Sends RST_STREAM and forgets the stream. */
  resetNow(stream: StreamImpl, code: number): void;
}

/**
 * What the owner of a stream asks of it. On a stream that is over, or that the owner has given up,
 * nothing happens; out of order the calls throw.
 */
export class OwnerCalls implements StreamPort {
  readonly #host: OwnerHost;

  constructor(host: OwnerHost) {
    this.#host = host;
  }

  respond(stream: StreamImpl, head: ResponseInit, endStream: boolean): void {
    if (stream.closed) return;
    if (this.#host.role === "client") {
      throw new H2StateError("cannot respond: this is a client session");
    }
    if (stream.headSent) throw new H2StateError("cannot respond: a final head was sent");
    const informational = head.status < 200;
    if (informational && endStream) throw new H2StateError("cannot end with an informational head");
    // Informational heads have no window: to a peer that does not read they would pile up. 100 is
    // one to a request, and its sender waits for it.
    if (informational && head.status !== 100 && this.#host.congested) return;
    const pseudo = statusPseudo(head.status);
    const { fields, neverIndexed } = head;
    this.#host.sender.headers({ streamId: stream.id, pseudo, fields, neverIndexed, endStream });
    if (informational) return;
    stream.headSent = stream.responded = true;
    if (endStream) {
      stream.endQueued = true;
      this.#host.onLocalEnd(stream);
    }
  }

  sendData(stream: StreamImpl, bytes: Uint8Array, endStream: boolean): boolean {
    if (stream.closed || stream.forsaken) return false;
    if (!stream.headSent) throw new H2StateError("cannot send data: no head was sent");
    if (stream.endQueued) throw new H2StateError("cannot send data: the stream was ended");
    return this.#host.sender.data(stream, bytes, endStream);
  }

  sendTrailers(stream: StreamImpl, fields: Fields): void {
    if (stream.closed || stream.forsaken) return;
    if (!stream.headSent) throw new H2StateError("cannot send trailers: no head was sent");
    if (stream.endQueued) throw new H2StateError("cannot send trailers: the stream was ended");
    checkFields(fields);
    this.#host.sender.trailers(stream, fields);
  }

  consume(stream: StreamImpl, octets: number): void {
    const passed = Math.min(octets, stream.unconsumed);
    if (stream.closed || stream.forsaken || passed <= 0) return;
    stream.unconsumed -= passed;
    const increment = stream.receiveWindow.give(passed, this.#host.now);
    if (increment > 0 && !stream.remoteEnded) this.#host.sender.windowUpdate(stream.id, increment);
    if (!this.#host.limits.creditOnReceipt) this.#host.credit(passed);
  }

  reset(stream: StreamImpl, code: number): void {
    if (stream.closed || stream.forsaken) return;
    if (code === ErrorCode.noError && stream.endQueued && !stream.localEnded) {
      stream.resetWhenSent = true;
      return;
    }
    if (this.#host.role === "client" && !this.#host.guard.ownResets.spend(this.#host.now)) {
      this.#host.sender.forget(stream);
      this.#host.forsaken.add(stream, code);
    } else {
      this.#host.resetNow(stream, code);
    }
  }
}
