import {
  ErrorCode,
  type Fields,
  H2FieldError,
  type RequestHead,
  type RequestInit,
  type ResponseHead,
} from "../h2/mod.ts";
import type { RequestEvent } from "../observe/mod.ts";
import type { Deadline, Deadlines } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Backend, TransportWaiter } from "./backend.ts";
import type { FieldRules } from "./field_rules.ts";
import { fieldValue, filterFields, isTrailerField } from "./fields.ts";
import { isGrpc, localReply, STATUS_OF } from "./local_reply.ts";
import type {
  BackendFailure,
  BackendStream,
  FrontStream,
  ResponseHandler,
  Transport,
} from "./message.ts";
import { backendRequest, type ClientFacts, expectsContinue } from "./request_fields.ts";

/** What a request's client left before it was answered is logged as (nginx's number). */
const CLIENT_GONE = 499;
const NOTHING = new Uint8Array(0);
/** Methods without effect on the backend (RFC 9110 §9.2.1): they may be sent twice. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** As `Via` names them (RFC 9110 §7.6.3). */
const VERSIONS = { "h2": "2", "http/1.1": "1.1", "http/1.0": "1.0" } as const;

/** What an exchange knows of the connection it belongs to. */
export interface ExchangeOwner {
  readonly facts: ClientFacts;
  readonly rules: FieldRules;
  readonly idle: Deadlines;
  now(): number;
  /** The exchange is over. */
  ended(exchange: Exchange): void;
}

/**
 * One request and its response, between a front stream and a backend stream. Content goes through
 * in both directions as it comes; at most the windows of both sides wait in between.
 */
export class Exchange implements ResponseHandler, TransportWaiter {
  readonly head: RequestHead;
  readonly id: string;
  /** Protocol of the client's side. */
  readonly protocol: RequestEvent["protocol"];
  readonly startedAt: number;
  /** Octets of content from the client, and to it. */
  bytesIn = 0;
  bytesOut = 0;
  /** What the client was told. */
  status = 0;
  grpcStatus: string | undefined;
  upstreamMs: number | undefined;
  backendProtocol: Transport["protocol"] | undefined;
  reason: string | undefined;
  route: Route | undefined;
  policy: string | undefined;

  readonly #owner: ExchangeOwner;
  readonly #front: FrontStream;
  #backend: Backend | undefined;
  #stream: BackendStream | undefined;
  #request: RequestInit | undefined;
  #sentAt = 0;
  /** The client has sent everything, or never sends more. */
  #requestEnded: boolean;
  /** The end of the request has been handed to the backend. */
  #endForwarded = false;
  /** What came before there was a stream to the backend; bounded by the front's window. */
  #early: Uint8Array[] | undefined;
  #earlyTrailers: Fields | undefined;
  #responded = false;
  #over = false;
  #retried = false;
  /** Content handed on and not yet taken, to be consumed when it is. */
  #unconsumedIn = 0;
  #unconsumedOut = 0;
  #deadline: Deadline | undefined;

  constructor(owner: ExchangeOwner, front: FrontStream, request: {
    readonly head: RequestHead;
    readonly endStream: boolean;
    readonly id: string;
    readonly protocol: RequestEvent["protocol"];
  }) {
    this.#owner = owner;
    this.#front = front;
    this.head = request.head;
    this.#requestEnded = request.endStream;
    this.id = request.id;
    this.protocol = request.protocol;
    this.startedAt = owner.now();
  }

  /** The response was given or the exchange broken off. */
  get over(): boolean {
    return this.#over;
  }

  /** Sends the request to a backend. */
  forward(backend: Backend): void {
    this.#backend = backend;
    const { id } = this;
    const version = VERSIONS[this.protocol];
    this.#request = backendRequest(this.head, this.#owner.facts, { id, version });
    this.#deadline = this.#owner.idle.arm(() => this.#expire());
    backend.acquire(this, this.head.protocol !== "");
  }

  /** Answers in place of a backend. */
  refuse(status: number, reason: string): void {
    if (this.#over) return;
    this.reason = reason;
    this.status = status;
    this.#responded = true;
    localReply(this.#front, status, this.head);
    if (!this.#requestEnded) this.#front.reset(ErrorCode.noError);
    this.#finish();
  }

  // --- from the client -------------------------------------------------------------------------

  /** Content of the request. */
  requestData(bytes: Uint8Array, end: boolean): void {
    if (this.#over) return;
    this.bytesIn += bytes.length;
    if (end) this.#requestEnded = true;
    this.#deadline?.touch();
    const stream = this.#stream;
    if (stream === undefined) {
      if (bytes.length > 0) (this.#early ??= []).push(bytes);
      return;
    }
    if (end) this.#endForwarded = true;
    if (stream.sendData(bytes, end)) this.#front.consume(bytes.length);
    else this.#unconsumedIn += bytes.length;
  }

  /** The end of the request, with trailers. */
  requestTrailers(fields: Fields): void {
    if (this.#over) return;
    this.#requestEnded = true;
    const { rules } = this.#owner;
    const trailers = filterFields(fields, (name) => rules.isRequestTrailer(name));
    if (this.#stream === undefined) this.#earlyTrailers = trailers;
    else this.#endRequest(this.#stream, trailers);
  }

  /** The client takes more of the response. */
  frontDrained(): void {
    const octets = this.#unconsumedOut;
    if (octets === 0) return;
    this.#unconsumedOut = 0;
    this.#deadline?.touch();
    this.#stream?.consume(octets);
  }

  /** The client is gone, or wants no answer any more. */
  frontGone(code: number, reason: string): void {
    if (this.#over) return;
    this.reason = reason;
    if (!this.#responded) this.status = CLIENT_GONE;
    this.#backend?.cancel(this);
    this.#stream?.reset(code === ErrorCode.noError ? ErrorCode.cancel : code);
    this.#finish();
  }

  // --- from the backend ------------------------------------------------------------------------

  onTransport(transport: Transport): void {
    if (this.#over || this.#request === undefined) return;
    if (this.head.protocol !== "" && !transport.takesTunnels) {
      return this.refuse(STATUS_OF.invalid, "the backend does not take tunnels");
    }
    const hasBody = this.#early !== undefined || this.#earlyTrailers !== undefined;
    const endNow = this.#requestEnded && !hasBody;
    this.backendProtocol = transport.protocol;
    this.#sentAt = this.#owner.now();
    this.#endForwarded = endNow;
    try {
      this.#stream = transport.request(this.#request, endNow, this);
    } catch (error) {
      if (!(error instanceof H2FieldError)) throw error;
      return this.refuse(400, "a field that cannot be sent on");
    }
    // Only now does somebody want the content.
    if (!this.#requestEnded && expectsContinue(this.head.fields)) {
      this.#front.respond({ status: 100, fields: [] });
    }
    if (hasBody) this.#sendEarly(this.#stream);
  }

  onResponse(head: ResponseHead, endStream: boolean): void {
    if (this.#over) return;
    this.#deadline?.touch();
    const isTunnel = head.status === 101 && this.head.protocol !== "";
    // 100 was this hop's to send; 101 without a request for it has no meaning.
    if (head.status === 100 || (head.status === 101 && !isTunnel)) return;
    try {
      this.#front.respond(isTunnel ? this.#tunnelHead(head) : head, endStream);
    } catch (error) {
      if (!(error instanceof H2FieldError)) throw error;
      return this.#breakOff("a field of the response cannot be sent on", ErrorCode.internalError);
    }
    if (head.status < 200 && !isTunnel) return;
    this.#responded = true;
    this.status = head.status;
    this.upstreamMs = this.#owner.now() - this.#sentAt;
    if (endStream) {
      this.grpcStatus = fieldValue(head.fields, "grpc-status");
      this.#endResponse();
    }
  }

  onData(bytes: Uint8Array, endStream: boolean): void {
    if (this.#over) return;
    this.bytesOut += bytes.length;
    this.#deadline?.touch();
    if (this.#front.sendData(bytes, endStream)) this.#stream?.consume(bytes.length);
    else this.#unconsumedOut += bytes.length;
    if (endStream) this.#endResponse();
  }

  onTrailers(fields: Fields): void {
    if (this.#over) return;
    this.grpcStatus = fieldValue(fields, "grpc-status");
    try {
      this.#front.sendTrailers(filterFields(fields, isTrailerField));
    } catch (error) {
      if (!(error instanceof H2FieldError)) throw error;
      return this.#breakOff("a trailer of the response cannot be sent on", ErrorCode.internalError);
    }
    this.#endResponse();
  }

  onDrain(): void {
    const octets = this.#unconsumedIn;
    if (octets === 0) return;
    this.#unconsumedIn = 0;
    this.#deadline?.touch();
    this.#front.consume(octets);
  }

  onFailure(failure: BackendFailure): void {
    if (this.#over) return;
    this.#stream = undefined;
    if (this.#mayRetry(failure)) {
      this.#retried = true;
      return this.#backend?.acquire(this, false);
    }
    if (this.#responded) return this.#breakOff(failure.reason, failure.code);
    this.refuse(STATUS_OF[failure.kind], failure.reason);
  }

  /** Cuts the exchange off, with whatever the client was told so far. */
  abort(code: number, reason: string): void {
    if (!this.#over) this.#breakOff(reason, code);
  }

  // --- ends ------------------------------------------------------------------------------------

  /**
   * Once, if nothing of the response was passed on and the request can be repeated whole: a request
   * without content that is safe or that the backend certainly did not process.
   */
  #mayRetry(failure: BackendFailure): boolean {
    if (this.#retried || this.#responded || this.bytesIn > 0 || !this.#requestEnded) return false;
    if (this.#earlyTrailers !== undefined || this.head.protocol !== "") return false;
    if (failure.unprocessed) return true;
    return failure.kind === "reset" && SAFE_METHODS.has(this.head.method);
  }

  /** Over HTTP/2 a tunnel is open with a 200 (RFC 8441 §5), and there was no key to accept. */
  #tunnelHead(head: ResponseHead): ResponseHead {
    if (this.protocol !== "h2") return head;
    const fields = filterFields(head.fields, (name) => name !== "sec-websocket-accept");
    return { ...head, status: 200, fields };
  }

  #sendEarly(stream: BackendStream): void {
    const chunks = this.#early ?? [];
    this.#early = undefined;
    const end = this.#requestEnded && this.#earlyTrailers === undefined;
    chunks.forEach((bytes, i) => {
      const last = end && i === chunks.length - 1;
      if (stream.sendData(bytes, last)) this.#front.consume(bytes.length);
      else this.#unconsumedIn += bytes.length;
    });
    this.#endForwarded = end;
    if (this.#earlyTrailers !== undefined) this.#endRequest(stream, this.#earlyTrailers);
  }

  #endRequest(stream: BackendStream, trailers: Fields): void {
    this.#endForwarded = true;
    if (trailers.length === 0) {
      stream.sendData(NOTHING, true);
      return;
    }
    try {
      stream.sendTrailers(trailers);
    } catch (error) {
      if (!(error instanceof H2FieldError)) throw error;
      this.onFailure({
        kind: "invalid",
        reason: "a trailer of the request cannot be sent on",
        unprocessed: false,
        code: ErrorCode.protocolError,
      });
    }
  }

  /** The response is complete: a request that still goes on has nobody left who wants it. */
  #endResponse(): void {
    if (!this.#requestEnded) this.#front.reset(ErrorCode.noError);
    if (!this.#endForwarded) this.#stream?.reset(ErrorCode.cancel);
    this.#finish();
  }

  #breakOff(reason: string, code: number): void {
    this.#backend?.cancel(this);
    this.#stream?.reset(ErrorCode.cancel);
    if (!this.#responded) return this.refuse(STATUS_OF.invalid, reason);
    this.reason = reason;
    this.#front.reset(code);
    this.#finish();
  }

  #expire(): void {
    if (this.#responded) return this.#breakOff("idle timeout", ErrorCode.cancel);
    this.#backend?.cancel(this);
    this.#stream?.reset(ErrorCode.cancel);
    this.refuse(STATUS_OF.timeout, "the backend did not answer in time");
  }

  #finish(): void {
    this.#over = true;
    this.#deadline?.cancel();
    this.#early = undefined;
    this.#owner.ended(this);
  }

  /** Whether the request is gRPC's. */
  get isGrpc(): boolean {
    return isGrpc(this.head.fields);
  }
}
