import type { ApiRequest } from "../api_server/mod.ts";
import type { Name } from "../dns/mod.ts";
import type { DnsOperation } from "../dns_control/mod.ts";
import type { Caller } from "./auth.ts";
import type { JsonSchema } from "./json_schema.ts";

/** What may be done with a call; `zone` rights are those for the zone of its path. */
export type Needs = "nothing" | "any" | "read" | "write" | "admin";

/** A query parameter. */
export interface Parameter {
  readonly description: string;
  readonly isNeeded?: boolean;
  readonly type?: "integer";
}

/** A call that was let in. */
export interface Call {
  readonly request: ApiRequest;
  /** Of the path, decoded, by their names. */
  readonly path: Readonly<Record<string, string>>;
  /** Of the path, where it has one. */
  readonly zone: Name;
  readonly query: Readonly<Record<string, string>>;
  /** Of the routes that need something. */
  readonly caller: Caller;
  /** The content, as the route's schema says. */
  readonly input: unknown;
  /** The content where it is not JSON. */
  readonly octets: Uint8Array;
  operation(action: string): DnsOperation;
}

/** What a route answers. */
export interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly version?: string;
  readonly location?: string;
  readonly text?: AsyncIterable<Uint8Array>;
}

/** One operation of the API; the description that is served is made of these. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Such as `/v1/zones/{zone}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly needs: Needs;
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly input?: JsonSchema;
  /** The content is a zone file. */
  readonly takesFile?: boolean;
  readonly status?: number;
  /** Absent: a zone file, or nothing. */
  readonly output?: JsonSchema;
  readonly givesFile?: boolean;
  /** Takes `If-Match`. */
  readonly isConditional?: boolean;
  readonly handle: (call: Call) => Promise<Answer> | Answer;
}
