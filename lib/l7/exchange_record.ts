import type { Fields, RequestHead } from "../h2/mod.ts";
import type { BackendOutcome, RequestEvent } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Edit } from "./header_edits.ts";
import type { MessageRules } from "./message_rules.ts";
import type { RoutePath } from "../state/mod.ts";
import type { HttpProtocol } from "../upstream/mod.ts";

/** A request as it was taken from a client. */
export interface TakenRequest {
  readonly head: RequestHead;
  readonly id: string;
  readonly protocol: RequestEvent["protocol"];
}

/** A backend as a route has it, or one of its paths. */
export interface BackendUse {
  readonly addr: string;
  /** What the path is called; empty: the route itself; absent: whichever. */
  readonly path?: string | undefined;
}

/** What is known of an exchange, for the log and the counters. */
export abstract class ExchangeRecord {
  readonly head: RequestHead;
  readonly id: string;
  /** Protocol of the client's side. */
  readonly protocol: RequestEvent["protocol"];
  readonly startedAt: number;
  /** What the client was told. */
  status = 0;
  grpcStatus: string | undefined;
  upstreamMs: number | undefined;
  backendProtocol: HttpProtocol | undefined;
  reason: string | undefined;
  /** Known when it has answered or failed. */
  backendOutcome: BackendOutcome | undefined;
  route: Route | undefined;
  /** What the route does with its messages. */
  rules: MessageRules | undefined;
  /** Which of several backends was asked last. */
  backend: string | undefined;
  policy: string | undefined;
  /** What the route says of the request's path. */
  path: RoutePath | undefined;
  /** The route as that path has it, where it leads elsewhere. */
  way: Route | undefined;
  #edits: Edit[] | undefined;

  constructor({ head, id, protocol }: TakenRequest, startedAt: number) {
    this.head = head;
    this.id = id;
    this.protocol = protocol;
    this.startedAt = startedAt;
  }

  /** Changes what the backend gets of the request's fields, after those that were asked for before. */
  edit(change: Edit): void {
    (this.#edits ??= []).push(change);
  }

  /** Fields with the changes that were asked for. */
  edited(fields: Fields): Fields {
    let edited = fields;
    for (const change of this.#edits ?? []) edited = change(edited);
    return edited;
  }

  /** Whether it is at this backend. */
  isAt({ addr, path }: BackendUse): boolean {
    if (this.backend !== addr) return false;
    return path === undefined || path === (this.route?.pathName ?? "");
  }

  /** It asks for a tunnel, which has no content, whatever goes through it. */
  get isTunnel(): boolean {
    return this.head.protocol !== "";
  }

  /** Octets of content from the client. */
  abstract get bytesIn(): number;

  /** Octets of content to the client. */
  abstract get bytesOut(): number;
}
