import { type ApiRequest, type ApiResponse, BodyError } from "../api_server/mod.ts";
import { type Name, nameToText } from "../dns/mod.ts";
import { Access, canonical, readZoneName } from "../dns_control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { invalid, RefusedError } from "../queue/mod.ts";
import { type Authenticator, type Caller, forbidden } from "./auth.ts";
import { type Condition, readCondition } from "./conditions.ts";
import { type Failure, failureOf } from "./failures.ts";
import { readJson } from "./json_schema.ts";
import { describeApi } from "./openapi.ts";
import { matchPath, parseTarget } from "./path.ts";
import type { Answer, Call, Route } from "./route.ts";
import { createRoutes } from "./routes.ts";
import type { RoutesOptions } from "./routes_options.ts";

/** Octets of the content of a request: a record has 64 KiB, four characters an octet at most. */
const MAX_BODY = 1024 * 1024;
/** Of a zone file: one with a million records has about 60 MB. */
const MAX_FILE = 160 * 1024 * 1024;
const FILE_TIMEOUT_MS = 600_000;

/** Where the description of the API is. */
const DESCRIPTION = "/v1/openapi.json";
const JSON_TYPE = "application/json";
const FILE_TYPE = "text/dns";
const NOBODY: Caller = { name: "nobody", access: Access.of([]) as Access };
const ROOT: Name = Uint8Array.of(0);
const ENCODER = new TextEncoder();

/** What the API needs. */
export interface RestOptions extends RoutesOptions {
  readonly authenticator: Authenticator;
  readonly log: LogSink;
}

/**
 * The REST API: finds the route, finds out who calls, looks whether they may, and only then reads what
 * they have sent.
 */
export class RestApi {
  readonly #routes: readonly Route[];
  readonly #options: RestOptions;
  readonly #description: Uint8Array;
  /** Zone files are large: one at a time. */
  #importing = false;

  constructor(options: RestOptions) {
    this.#options = options;
    this.#routes = createRoutes(options);
    const described = describeApi(this.#routes, options.version);
    this.#description = ENCODER.encode(JSON.stringify(described));
  }

  /** Answers a request; never fails. */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    try {
      return await this.#answer(request);
    } catch (error) {
      const failure = failureOf(error) ?? ofBody(error) ?? this.#internal(request, error);
      return problem(failure);
    }
  }

  async #answer(request: ApiRequest): Promise<ApiResponse> {
    const target = parseTarget(request.target);
    if (target === undefined) throw invalid("target", "malformed");
    const { segments, query } = target;
    const method = request.method === "HEAD" ? "GET" : request.method;
    if (`/${segments.join("/")}` === DESCRIPTION && method === "GET") {
      return { status: 200, fields: typed(JSON_TYPE), body: this.#description };
    }
    const allowed: string[] = [];
    for (const route of this.#routes) {
      const path = matchPath(route.path, segments);
      if (path === undefined) continue;
      if (route.method === method) return await this.#call(route, { request, path, query });
      allowed.push(route.method);
    }
    if (allowed.length === 0) {
      return problem({ status: 404, code: "not_found", title: "there is nothing here" });
    }
    const fields = ["allow", [...allowed, ...allowed.includes("GET") ? ["HEAD"] : []].join(", ")];
    const title = `${request.method.slice(0, 16)} is not for this`;
    return problem({ status: 405, code: "method_not_allowed", title }, fields);
  }

  async #call(
    route: Route,
    { request, path, query }: Pick<Call, "request" | "path" | "query">,
  ): Promise<ApiResponse> {
    const caller = await this.#letIn(route, request);
    const zone = path.zone === undefined ? ROOT : readZoneName(path.zone);
    refuseUnlessMay(route, caller, zone);
    for (const name of Object.keys(query)) {
      if (route.query?.[name] === undefined) throw invalid(name.slice(0, 64), "is not known");
    }
    for (const [name, { isNeeded }] of Object.entries(route.query ?? {})) {
      if (isNeeded && query[name] === undefined) throw invalid(name, "is missing");
    }
    const ifMatch = conditionOf(request, "if-match", false);
    if (ifMatch !== "none" && route.method !== "GET" && !route.isConditional) {
      throw invalid("if-match", "is not for this");
    }
    using _ = route.takesFile ? this.#importAlone() : undefined;
    const content = await readContent(route, request);
    const answer = await route.handle({
      ...{ request, path, zone, query, caller, ...content },
      operation: (action) => ({
        ...{ actor: caller.name, action, signal: request.signal },
        ...Array.isArray(ifMatch) && { ifVersion: ifMatch },
      }),
    });
    return respond(route, answer, request);
  }

  async #letIn({ needs }: Route, request: ApiRequest): Promise<Caller> {
    if (needs === "nothing") return NOBODY;
    const { authenticator } = this.#options;
    return await authenticator.authenticate(request.field("authorization"), request.address);
  }

  #importAlone(): Disposable {
    if (this.#importing) {
      throw new RefusedError("busy", "another zone file is being read: try again");
    }
    this.#importing = true;
    return { [Symbol.dispose]: () => this.#importing = false };
  }

  #internal({ method, target }: ApiRequest, error: unknown): Failure {
    const fields = { method, target: target.slice(0, 256), error: describeError(error) };
    this.#options.log({ level: "error", message: "a call of the API failed", fields });
    return { status: 500, code: "internal", title: "internal error; the server's log says more" };
  }
}

/** Looked at before whether anything is there, so that nobody learns that it is. */
function refuseUnlessMay({ needs }: Route, { access }: Caller, zone: Name): void {
  const isAllowed = needs === "nothing" || needs === "any" || access.isAdmin ||
    (needs !== "admin" && access.may(needs, canonical(nameToText(zone)) ?? ""));
  if (!isAllowed) throw forbidden();
}

async function readContent(
  { input, takesFile }: Route,
  request: ApiRequest,
): Promise<Pick<Call, "input" | "octets">> {
  if (takesFile) {
    const limits = { maxBytes: MAX_FILE, timeoutMs: FILE_TIMEOUT_MS };
    return { input: undefined, octets: await request.body(limits) };
  }
  const octets = input === undefined
    ? new Uint8Array(0)
    : await request.body({ maxBytes: MAX_BODY });
  return { input: input && readJson(octets, input), octets };
}

function conditionOf(request: ApiRequest, name: string, weak: boolean): Condition {
  const condition = readCondition(request.field(name), { weak });
  if (condition === "malformed") throw invalid(name, "not a list of entity tags");
  return condition;
}

function respond(route: Route, answer: Answer, request: ApiRequest): ApiResponse {
  const { json, version, location, text } = answer;
  const tag = version === undefined ? [] : ["etag", `"${version}"`];
  const known = route.method === "GET" && version !== undefined
    ? conditionOf(request, "if-none-match", true)
    : "none";
  if (known === "any" || Array.isArray(known) && known.includes(version ?? "")) {
    return { status: 304, fields: tag };
  }
  const status = answer.status ?? route.status ?? 200;
  const place = location === undefined ? [] : ["location", location];
  const own = [...tag, ...place];
  if (text !== undefined) return { status, fields: [...typed(FILE_TYPE), ...own], body: text };
  if (json === undefined) return { status, fields: own };
  const body = ENCODER.encode(`${JSON.stringify(json)}\n`);
  return { status, fields: [...typed(JSON_TYPE), ...own], body };
}

/** What is private is kept nowhere. */
function typed(type: string): string[] {
  return ["content-type", type, "cache-control", "no-store", "x-content-type-options", "nosniff"];
}

function problem(failure: Failure, fields: readonly string[] = []): ApiResponse {
  const { status, code } = failure;
  const challenge = status === 401
    ? ["www-authenticate", 'Bearer realm="mcns"']
    : code === "forbidden"
    ? ["www-authenticate", 'Bearer realm="mcns", error="insufficient_scope"']
    : status === 503 || status === 429
    ? ["retry-after", status === 429 ? "60" : "1"]
    : [];
  const body = ENCODER.encode(`${JSON.stringify(failure)}\n`);
  return {
    status,
    fields: [...typed("application/problem+json"), ...challenge, ...fields],
    body,
  };
}

function ofBody(error: unknown): Failure | undefined {
  if (!(error instanceof BodyError)) return undefined;
  const code = error.status === 413 ? "too_large" : "invalid_argument";
  return { status: error.status, code, title: error.message };
}
