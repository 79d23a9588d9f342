import { ErrorCode, type Fields, type RequestInit, type ResponseHead } from "../h2/mod.ts";
import { FieldError } from "../http/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { Deadline } from "../relay/mod.ts";
import type { Answer } from "./answer.ts";
import { Download } from "./download.ts";
import type { ExchangeOwner, Way } from "./exchange_owner.ts";
import type { TakenRequest } from "./exchange_record.ts";
import { STEPS } from "./exchange_steps.ts";
import { fieldValue, filterFields } from "./fields.ts";
import { everyStep, guardMethods } from "./guard.ts";
import { STATUS_OF } from "./local_reply.ts";
import type {
  BackendConnection,
  BackendFailure,
  BackendStream,
  DownstreamStream,
  ResponseHandler,
} from "./message.ts";
import { TOO_LARGE } from "./message_rules.ts";
import { outgoingRequest } from "./outgoing_request.ts";
import { expectsContinue } from "./request_fields.ts";
import { tunnelAnswer } from "./tunnel.ts";
import { Upload } from "./upload.ts";
import { WaitingExchange } from "./waiting_exchange.ts";

/** What a request's client left before it was answered is logged as (nginx's number). */
const CLIENT_GONE = 499;

/**
 * One request and its response, between a client's stream and a backend's. Content goes through in
 * both directions as it comes; at most the windows of both sides wait in between. Whatever one of
 * its steps throws ends it, and nothing else.
 */
export class Exchange extends WaitingExchange implements ResponseHandler {
  readonly #downstream: DownstreamStream;
  readonly #upload: Upload;
  readonly #download: Download;
  #stream: BackendStream | undefined;
  #sentAt = 0;
  #over = false;
  #deadline: Deadline | undefined;
  #cancel: (() => void) | undefined;

  constructor(
    owner: ExchangeOwner,
    downstream: DownstreamStream,
    request: TakenRequest & { readonly endStream: boolean },
  ) {
    super(owner, request);
    this.#downstream = downstream;
    this.#upload = new Upload(downstream, request.endStream);
    this.#download = new Download(downstream, owner.limits);
  }

  /** The response was given or the exchange broken off. */
  get over(): boolean {
    return this.#over;
  }

  override get bytesIn(): number {
    return this.#upload.octets;
  }

  override get bytesOut(): number {
    return this.#download.octets;
  }

  /** Sends the request to a backend. */
  forward(way: Way): void {
    const request = outgoingRequest(this, this.owner.facts);
    this.#deadline = this.owner.idleFor(this.rules).arm(() => this.expire());
    this.acquire(request, way);
  }

  /** Has `cancel` called when this ends, in place of what was to be called before. */
  whenOver(cancel: (() => void) | undefined): void {
    this.#cancel = cancel;
  }

  /** Answers in place of a backend, as is said of a status. */
  refuse(status: number, reason: string): void {
    this.answer({ status, reason });
  }

  /** Answers in place of a backend. */
  answer({ status, reason, policy, reply }: Answer): void {
    if (this.#over) return;
    this.policy = policy;
    this.reason = reason;
    this.status = status;
    this.#download.answer({ status, reply }, this, this.owner);
    if (!this.#upload.ended) this.#downstream.reset(ErrorCode.noError);
    this.#finish();
  }

  // --- from the client -------------------------------------------------------------------------

  /** Content of the request. */
  requestData(bytes: Uint8Array, end: boolean): void {
    if (this.#over) return;
    this.#deadline?.touch();
    if (this.#refusedTunnel) return this.#downstream.consume(bytes.length);
    if (this.#isTooLong(bytes.length)) {
      return this.#breakOff(TOO_LARGE, ErrorCode.enhanceYourCalm, 413);
    }
    this.#upload.data(bytes, end);
  }

  /** The end of the request, with trailers. */
  requestTrailers(fields: Fields): void {
    if (this.#over) return;
    const { rules } = this.owner;
    const trailers = filterFields(fields, (name) => rules.isRequestTrailer(name));
    if (!this.#upload.trailers(trailers)) this.#badTrailer();
  }

  /** The request broke a rule in its content: an answer, or what there is of one, ends here. */
  requestInvalid(reason: string): void {
    if (!this.#over) this.#breakOff(reason, ErrorCode.protocolError, 400);
  }

  /** The client takes more of the response. */
  downstreamDrained(): void {
    const octets = this.#download.drained();
    if (octets === 0) return;
    this.#deadline?.touch();
    this.#stream?.consume(octets);
  }

  /** The client is gone, or wants no answer any more. */
  downstreamGone(code: number, reason: string): void {
    if (this.#over) return;
    this.reason = reason;
    if (!this.#download.begun) this.status = CLIENT_GONE;
    this.#stream?.reset(code === ErrorCode.noError ? ErrorCode.cancel : code);
    this.#finish();
  }

  // --- from the pool and the backend -----------------------------------------------------------

  protected override send(request: RequestInit, link: BackendConnection): void {
    const withEnd = this.#upload.isEmpty;
    this.#sentAt = this.owner.now();
    try {
      this.#stream = link.request(request, withEnd, this);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return this.refuse(400, "a field that cannot be sent on");
    }
    // Only now does somebody want the content.
    if (!this.#upload.ended && expectsContinue(this.head.fields)) {
      this.#downstream.respond({ status: 100, fields: [] });
    }
    if (!this.#upload.attach(this.#stream, withEnd)) this.#badTrailer();
  }

  onResponse(head: ResponseHead, endStream: boolean): void {
    if (this.#over) return;
    this.backendAnswers();
    this.#deadline?.touch();
    if (head.fields.length > 2 * this.owner.limits.maxFields) {
      return this.#invalid("the response has too many fields");
    }
    if (this.isTunnel) {
      const meaning = tunnelAnswer(head.status, this.backendProtocol);
      if (meaning === "invalid") return this.#invalid("an answer that opens no tunnel");
      this.#download.tunnelOpen = meaning === "opens";
    }
    if (head.status < 200 && !this.#download.tunnelOpen) {
      const trouble = this.#download.inform(head);
      if (trouble !== undefined) this.#invalid(trouble, ErrorCode.enhanceYourCalm);
      return;
    }
    // Before the response is passed on, which may be the end of the client's stream.
    this.upstreamMs = this.owner.now() - this.#sentAt;
    if (!this.#download.begin(head, endStream, this)) {
      return this.#invalid("a field of the response cannot be sent on");
    }
    this.backendOutcome = "ok";
    this.status = head.status;
    if (endStream) {
      this.grpcStatus = fieldValue(head.fields, "grpc-status");
      this.#endResponse();
    }
  }

  onData(bytes: Uint8Array, endStream: boolean): void {
    if (this.#over) return;
    this.#deadline?.touch();
    const taken = this.#download.data(bytes, endStream);
    if (taken > 0) this.#stream?.consume(taken);
    if (endStream) this.#endResponse();
  }

  onTrailers(fields: Fields): void {
    if (this.#over) return;
    this.grpcStatus = fieldValue(fields, "grpc-status");
    if (this.#download.trailers(fields)) return this.#endResponse();
    this.#invalid("a trailer of the response cannot be sent on");
  }

  onDrain(): void {
    if (this.#upload.drained() > 0) this.#deadline?.touch();
  }

  onFailure(failure: BackendFailure): void {
    if (this.#over) return;
    this.#stream = undefined;
    this.#upload.detach();
    if (this.repeats(failure, this.#upload.isEmpty && this.#download.isUntouched)) return;
    this.backendOutcome = `backend_${failure.kind}`;
    if (this.#download.begun) return this.#breakOff(failure.reason, failure.code);
    this.refuse(STATUS_OF[failure.kind], failure.reason);
  }

  // --- ends ------------------------------------------------------------------------------------

  /** It is not to go on: an answer that has begun breaks off, another request is refused. */
  cutOff(reason: string): void {
    if (!this.#over) this.#breakOff(reason, ErrorCode.cancel, STATUS_OF.busy);
  }

  /** Nothing has moved for too long. */
  expire(): void {
    if (this.#over) return;
    if (this.#download.begun) return this.#breakOff("idle timeout", ErrorCode.cancel);
    this.#stream?.reset(ErrorCode.cancel);
    this.backendOutcome = "backend_timeout";
    this.refuse(STATUS_OF.timeout, "the backend did not answer in time");
  }

  /** A step has thrown: this exchange ends, with a 502 if nothing was said yet. */
  crash(error: unknown): void {
    if (this.#over) return this.owner.crashed(this, error);
    this.reason = `internal_error: ${describeError(error)}`;
    const isWhole = everyStep([
      () => this.#stream?.reset(ErrorCode.internalError),
      () => {
        if (this.#download.begun) return this.#downstream.reset(ErrorCode.internalError);
        this.status = STATUS_OF.invalid;
        this.#download.answerOfCrash(this, this.owner);
        if (!this.#upload.ended) this.#downstream.reset(ErrorCode.noError);
      },
      () => this.#finish(),
    ]);
    // If the client's stream itself is broken its connection ends with its next deadline.
    if (!isWhole) everyStep([() => this.#downstream.reset(ErrorCode.internalError)]);
    this.owner.crashed(this, error);
  }

  /** The client asked for a tunnel and got another answer: what it sends goes nowhere. */
  get #refusedTunnel(): boolean {
    return this.#download.begun && this.isTunnel && !this.#download.tunnelOpen;
  }

  #isTooLong(more: number): boolean {
    const { maxRequestBody = Infinity } = this.rules ?? {};
    return !this.isTunnel && this.#upload.octets + more > maxRequestBody;
  }

  #badTrailer(): void {
    this.#breakOff("a trailer of the request cannot be sent on", ErrorCode.protocolError);
  }

  /** The response is complete: a request that still goes on has nobody left who wants it. */
  #endResponse(): void {
    if (!this.#upload.ended) this.#downstream.reset(ErrorCode.noError);
    if (!this.#upload.endForwarded) this.#stream?.reset(ErrorCode.cancel);
    this.#finish();
  }

  /** The backend's answer cannot be passed on. */
  #invalid(reason: string, code: number = ErrorCode.internalError): void {
    this.backendOutcome = "backend_invalid";
    this.#breakOff(reason, code);
  }

  #breakOff(reason: string, code: number, status = STATUS_OF.invalid): void {
    this.#stream?.reset(ErrorCode.cancel);
    if (!this.#download.begun) return this.refuse(status, reason);
    this.reason = reason;
    this.#downstream.reset(code);
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancel?.();
    this.#deadline?.cancel();
    this.#upload.drop();
    this.#stream = undefined;
    this.leave();
    this.owner.ended(this);
  }
}

guardMethods(Exchange.prototype, STEPS, (exchange, error) => exchange.crash(error));
