import {
  ErrorCode,
  type Fields,
  type RequestInit,
  type ResponseHead,
  type WindowBudget,
} from "../h2/mod.ts";
import { FieldError } from "../http/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { Deadline } from "../relay/mod.ts";
import type { Lease, PoolFailure, Waiter } from "../upstream/mod.ts";
import { fieldValue, filterFields, isTrailerField, withoutFalseLength } from "./fields.ts";
import type { ExchangeOwner, Way } from "./exchange_owner.ts";
import { ExchangeRecord, type TakenRequest } from "./exchange_record.ts";
import { STEPS } from "./exchange_steps.ts";
import { everyStep, guardMethods } from "./guard.ts";
import { localReply, type Reply, STATUS_OF } from "./local_reply.ts";
import type {
  BackendConnection,
  BackendFailure,
  BackendStream,
  DownstreamStream,
  ResponseHandler,
} from "./message.ts";
import { Interim } from "./interim.ts";
import { TOO_LARGE } from "./message_rules.ts";
import { mayRepeat } from "./retry.ts";
import { backendRequest, expectsContinue } from "./request_fields.ts";
import type { Answer } from "./answer.ts";
import { tunnelAnswer, tunnelHead } from "./tunnel.ts";
import { Upload } from "./upload.ts";

/** What a request's client left before it was answered is logged as (nginx's number). */
const CLIENT_GONE = 499;
/** As `Via` names them (RFC 9110 §7.6.3). */
const VERSIONS = { "h2": "2", "http/1.1": "1.1", "http/1.0": "1.0" } as const;

/**
 * One request and its response, between a front stream and a backend stream. Content goes through
 * in both directions as it comes; at most the windows of both sides wait in between. Whatever one
 * of its steps throws ends it, and nothing else.
 */
export class Exchange extends ExchangeRecord implements ResponseHandler, Waiter<BackendConnection> {
  readonly #owner: ExchangeOwner;
  readonly #front: DownstreamStream;
  readonly #upload: Upload;
  #way: Way | undefined;
  #lease: Lease<BackendConnection> | undefined;
  #stream: BackendStream | undefined;
  #request: RequestInit | undefined;
  #sentAt = 0;
  readonly #interim: Interim;
  #responded = false;
  /** A tunnel that the backend has opened. */
  #tunnelOpen = false;
  #over = false;
  #retried = false;
  /** Content of the response handed on and not yet taken, to be consumed when it is. */
  #unconsumed = 0;
  #deadline: Deadline | undefined;
  #cancel: (() => void) | undefined;

  constructor(
    owner: ExchangeOwner,
    front: DownstreamStream,
    request: TakenRequest & { readonly endStream: boolean },
  ) {
    super(request, owner.now());
    this.#owner = owner;
    this.#interim = new Interim(owner.limits);
    this.#front = front;
    this.#upload = new Upload(front, request.endStream);
  }

  get windows(): WindowBudget {
    return this.#owner.windows;
  }

  /** The response was given or the exchange broken off. */
  get over(): boolean {
    return this.#over;
  }

  override get bytesIn(): number {
    return this.#upload.octets;
  }

  /** Sends the request to a backend. */
  forward(way: Way): void {
    this.#way = way;
    const { id } = this;
    const version = VERSIONS[this.protocol];
    const request = backendRequest(this.head, this.#owner.facts, { id, version });
    const edited = this.edited(request.fields);
    const fields = this.rules?.editRequest?.(edited) ?? edited;
    this.#request = fields === request.fields ? request : { ...request, fields };
    this.#deadline = this.#owner.idleFor(this.rules).arm(() => this.expire());
    this.#acquire(way);
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
    this.#responded = true;
    this.#reply(status, reply);
    if (!this.#upload.ended) this.#front.reset(ErrorCode.noError);
    this.#finish();
  }

  // --- from the client -------------------------------------------------------------------------

  /** Content of the request. */
  requestData(bytes: Uint8Array, end: boolean): void {
    if (this.#over) return;
    this.#deadline?.touch();
    if (this.#refusedTunnel) return this.#front.consume(bytes.length);
    if (this.#isTooLong(bytes.length)) {
      return this.#breakOff(TOO_LARGE, ErrorCode.enhanceYourCalm, 413);
    }
    this.#upload.data(bytes, end);
  }

  /** The end of the request, with trailers. */
  requestTrailers(fields: Fields): void {
    if (this.#over) return;
    const { rules } = this.#owner;
    const trailers = filterFields(fields, (name) => rules.isRequestTrailer(name));
    this.#sendTrailers(() => this.#upload.trailers(trailers));
  }

  /** The request broke a rule in its content: an answer, or what there is of one, ends here. */
  requestInvalid(reason: string): void {
    if (!this.#over) this.#breakOff(reason, ErrorCode.protocolError, 400);
  }

  /** The client takes more of the response. */
  downstreamDrained(): void {
    const octets = this.#unconsumed;
    if (octets === 0) return;
    this.#unconsumed = 0;
    this.#deadline?.touch();
    this.#stream?.consume(octets);
  }

  /** The client is gone, or wants no answer any more. */
  downstreamGone(code: number, reason: string): void {
    if (this.#over) return;
    this.reason = reason;
    if (!this.#responded) this.status = CLIENT_GONE;
    this.#stream?.reset(code === ErrorCode.noError ? ErrorCode.cancel : code);
    this.#finish();
  }

  // --- from the pool and the backend -----------------------------------------------------------

  onLease(lease: Lease<BackendConnection>): void {
    if (this.#over || this.#request === undefined) return lease.release();
    this.#lease = lease;
    const { link } = lease;
    this.backend = lease.backend;
    this.backendProtocol = link.protocol;
    if (this.head.protocol !== "" && !link.takesTunnels) {
      this.backendOutcome = "backend_invalid";
      return this.refuse(STATUS_OF.invalid, "the backend does not take tunnels");
    }
    const whole = this.#upload.isEmpty;
    this.#sentAt = this.#owner.now();
    try {
      this.#stream = link.request(this.#request, whole, this);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return this.refuse(400, "a field that cannot be sent on");
    }
    // Only now does somebody want the content.
    if (!this.#upload.ended && expectsContinue(this.head.fields)) {
      this.#front.respond({ status: 100, fields: [] });
    }
    const stream = this.#stream;
    this.#sendTrailers(() => this.#upload.attach(stream, whole));
  }

  onUnavailable({ kind, reason, backend = this.backend }: PoolFailure): void {
    this.backend = backend;
    this.backendOutcome = `backend_${kind}`;
    this.refuse(STATUS_OF[kind], reason);
  }

  onFailedOver({ kind, backend = "" }: PoolFailure): void {
    this.#owner.failedOver(this, backend, `backend_${kind}`);
  }

  onResponse(head: ResponseHead, endStream: boolean): void {
    if (this.#over) return;
    this.#lease?.answered?.();
    this.#deadline?.touch();
    if (head.fields.length > 2 * this.#owner.limits.maxFields) {
      return this.#invalid("the response has too many fields");
    }
    const meaning = this.head.protocol === ""
      ? "refuses"
      : tunnelAnswer(head.status, this.backendProtocol);
    if (meaning === "invalid") {
      return this.#invalid("an answer that opens no tunnel");
    }
    this.#tunnelOpen = meaning === "opens";
    if (head.status < 200 && !this.#tunnelOpen) return this.#inform(head);
    // Before the response is passed on, which may be the end of the front's stream.
    this.upstreamMs = this.#owner.now() - this.#sentAt;
    try {
      const passed = this.#tunnelOpen
        ? tunnelHead(head, this.protocol, this.head)
        : withoutFalseLength(head);
      const edit = this.rules?.editResponse;
      const edited = edit === undefined ? passed : { ...passed, fields: edit(passed.fields) };
      this.#front.respond(edited, endStream);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return this.#invalid("a field of the response cannot be sent on");
    }
    this.backendOutcome = "ok";
    this.#responded = true;
    this.status = head.status;
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
    else this.#unconsumed += bytes.length;
    if (endStream) this.#endResponse();
  }

  onTrailers(fields: Fields): void {
    if (this.#over) return;
    this.grpcStatus = fieldValue(fields, "grpc-status");
    try {
      this.#front.sendTrailers(filterFields(fields, isTrailerField));
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return this.#invalid("a trailer of the response cannot be sent on");
    }
    this.#endResponse();
  }

  onDrain(): void {
    if (this.#upload.drained() > 0) this.#deadline?.touch();
  }

  onFailure(failure: BackendFailure): void {
    if (this.#over) return;
    this.#stream = undefined;
    this.#upload.detach();
    const isReset = failure.kind === "reset";
    // One that says it did not look at the request ends in good order.
    if (isReset && failure.untouched && !failure.unprocessed) this.#lease?.brokeOff?.();
    this.#release();
    if (this.#way !== undefined && this.#mayRetry(failure, this.#way)) {
      this.#retried = true;
      if (isReset && this.backend !== undefined) {
        this.#owner.failedOver(this, this.backend, "backend_reset");
      }
      return this.#acquire(this.#way);
    }
    this.backendOutcome = `backend_${failure.kind}`;
    if (this.#responded) return this.#breakOff(failure.reason, failure.code);
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
    if (this.#responded) return this.#breakOff("idle timeout", ErrorCode.cancel);
    this.#stream?.reset(ErrorCode.cancel);
    this.backendOutcome = "backend_timeout";
    this.refuse(STATUS_OF.timeout, "the backend did not answer in time");
  }

  /** A step has thrown: this exchange ends, with a 502 if nothing was said yet. */
  crash(error: unknown): void {
    if (this.#over) return this.#owner.crashed(this, error);
    this.reason = `internal_error: ${describeError(error)}`;
    const isWhole = everyStep([
      () => this.#stream?.reset(ErrorCode.internalError),
      () => {
        if (this.#responded) return this.#front.reset(ErrorCode.internalError);
        this.status = STATUS_OF.invalid;
        // What has thrown may be what the route does with answers.
        if (!everyStep([() => this.#reply(this.status)])) {
          localReply(this.#front, { status: this.status }, this.head);
        }
        if (!this.#upload.ended) this.#front.reset(ErrorCode.noError);
      },
      () => this.#finish(),
    ]);
    // If the front itself is broken its connection ends with its next deadline.
    if (!isWhole) everyStep([() => this.#front.reset(ErrorCode.internalError)]);
    this.#owner.crashed(this, error);
  }

  /** The client asked for a tunnel and got another answer: what it sends goes nowhere. */
  get #refusedTunnel(): boolean {
    return this.#responded && this.head.protocol !== "" && !this.#tunnelOpen;
  }

  /** A tunnel has no content, whatever goes through it. */
  #isTooLong(more: number): boolean {
    const { maxRequestBody = Infinity } = this.rules ?? {};
    return this.head.protocol === "" && this.#upload.octets + more > maxRequestBody;
  }

  #reply(status: number, reply?: Reply): void {
    const { pages = this.#owner.pages, editResponse: edit } = this.rules ?? {};
    localReply(this.#front, { status, reply, pages, edit }, this.head);
  }

  #acquire({ upstream, client, affinity }: Way): void {
    upstream.acquire(this, { client, affinity, tunnel: this.head.protocol !== "" });
  }

  #sendTrailers(send: () => void): void {
    try {
      send();
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      this.#breakOff("a trailer of the request cannot be sent on", ErrorCode.protocolError);
    }
  }

  #inform(head: ResponseHead): void {
    const verdict = this.#interim.judge(head.status);
    if (verdict === "drop") return;
    if (verdict !== "pass") {
      this.backendOutcome = "backend_invalid";
      return this.#breakOff(verdict.reason, ErrorCode.enhanceYourCalm);
    }
    try {
      this.#front.respond(withoutFalseLength(head));
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
    }
  }

  /** Once, if the request can be repeated whole and nothing of an answer came. */
  #mayRetry(failure: BackendFailure, { upstream }: Way): boolean {
    if (this.#retried || this.#responded || this.#interim.came) return false;
    if (!this.#upload.isEmpty || this.head.protocol !== "") return false;
    if (!mayRepeat(failure, this.head.method)) return false;
    return upstream.mayRepeat?.(this) ?? true;
  }

  /** The response is complete: a request that still goes on has nobody left who wants it. */
  #endResponse(): void {
    if (!this.#upload.ended) this.#front.reset(ErrorCode.noError);
    if (!this.#upload.endForwarded) this.#stream?.reset(ErrorCode.cancel);
    this.#finish();
  }

  /** The backend's answer cannot be passed on. */
  #invalid(reason: string): void {
    this.backendOutcome = "backend_invalid";
    this.#breakOff(reason, ErrorCode.internalError);
  }

  #breakOff(reason: string, code: number, status = STATUS_OF.invalid): void {
    this.#stream?.reset(ErrorCode.cancel);
    if (!this.#responded) return this.refuse(status, reason);
    this.reason = reason;
    this.#front.reset(code);
    this.#finish();
  }

  #release(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.release();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancel?.();
    this.#deadline?.cancel();
    this.#upload.drop();
    this.#stream = undefined;
    if (this.#lease === undefined) this.#way?.upstream.cancel(this);
    this.#release();
    this.#owner.ended(this);
  }
}

guardMethods(Exchange.prototype, STEPS, (exchange, error) => exchange.crash(error));
