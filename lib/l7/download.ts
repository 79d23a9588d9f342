import type { Fields, ResponseHead } from "../h2/mod.ts";
import { FieldError } from "../http/mod.ts";
import { filterFields, isTrailerField, withoutFalseLength } from "./fields.ts";
import type { ExchangeRecord } from "./exchange_record.ts";
import { everyStep } from "./guard.ts";
import type { HttpLimits } from "./http_limits.ts";
import { Interim } from "./interim.ts";
import { localReply, type Reply } from "./local_reply.ts";
import type { DownstreamStream } from "./message.ts";
import type { Pages } from "./error_pages.ts";
import { tunnelHead } from "./tunnel.ts";

/**
 * The response to one request on its way to the client: the backend's, or ours in its place. What
 * the client has not taken is not given back to the backend's window.
 */
export class Download {
  /** Octets of content so far. */
  octets = 0;
  /** A final head has gone out. */
  begun = false;
  /** A tunnel that the backend has opened. */
  tunnelOpen = false;
  readonly #downstream: DownstreamStream;
  readonly #limits: HttpLimits;
  /** Most responses have none. */
  #interim: Interim | undefined;
  /** Content handed on and not yet taken. */
  #unconsumed = 0;

  constructor(downstream: DownstreamStream, limits: HttpLimits) {
    this.#downstream = downstream;
    this.#limits = limits;
  }

  /** Nothing of an answer has come. */
  get isUntouched(): boolean {
    return !this.begun && this.#interim === undefined;
  }

  /** An informational head. Why the response cannot go on after it, if it cannot. */
  inform(head: ResponseHead): string | undefined {
    this.#interim ??= new Interim(this.#limits);
    const verdict = this.#interim.judge(head.status);
    if (verdict === "drop") return undefined;
    if (verdict !== "pass") return verdict.reason;
    try {
      this.#downstream.respond(withoutFalseLength(head));
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
    }
    return undefined;
  }

  /** The final head of the backend's response. `false`: it has a field that cannot be sent. */
  begin(head: ResponseHead, endStream: boolean, exchange: ExchangeRecord): boolean {
    try {
      const passed = this.tunnelOpen
        ? tunnelHead(head, exchange.protocol, exchange.head)
        : withoutFalseLength(head);
      const edit = exchange.rules?.editResponse;
      const edited = edit === undefined ? passed : { ...passed, fields: edit(passed.fields) };
      this.#downstream.respond(edited, endStream);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return false;
    }
    this.begun = true;
    return true;
  }

  /** Content. Octets that the backend's window gets back at once. */
  data(bytes: Uint8Array, endStream: boolean): number {
    this.octets += bytes.length;
    if (this.#downstream.sendData(bytes, endStream)) return bytes.length;
    this.#unconsumed += bytes.length;
    return 0;
  }

  /** The end, with trailers. `false`: one of them cannot be sent. */
  trailers(fields: Fields): boolean {
    try {
      this.#downstream.sendTrailers(filterFields(fields, isTrailerField));
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return false;
    }
    return true;
  }

  /** The client takes more. How many octets it had taken late. */
  drained(): number {
    const octets = this.#unconsumed;
    this.#unconsumed = 0;
    return octets;
  }

  /** Answers in place of the backend, in the words of the route, or else of its owner. */
  answer(
    { status, reply }: { readonly status: number; readonly reply?: Reply | undefined },
    { head, rules }: ExchangeRecord,
    owner: { readonly pages: Pages | undefined },
  ): void {
    this.begun = true;
    const { pages = owner.pages, editResponse: edit } = rules ?? {};
    localReply(this.#downstream, { status, reply, pages, edit }, head);
  }

  /** The answer of an exchange that has thrown, which may be what its route does with answers. */
  answerOfCrash(exchange: ExchangeRecord, owner: { readonly pages: Pages | undefined }): void {
    const { status, head } = exchange;
    if (everyStep([() => this.answer({ status }, exchange, owner)])) return;
    localReply(this.#downstream, { status }, head);
  }
}
