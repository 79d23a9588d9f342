import { parseBackendEndpoint, type Result } from "../addr/mod.ts";
import {
  boolean,
  duration,
  field,
  list,
  parsed,
  type Place,
  record,
  records,
  secret,
  type ValueOf,
} from "../schema/mod.ts";
import { headerName } from "./header_edits.ts";
import { parsePasswordHash } from "./password_hash.ts";

const MAX_USERS = 256;
const MAX_HEADERS = 32;
/** In characters. */
const MAX_NAME = 128;
const MAX_HASH = 256;
const MAX_URL = 1024;

/** Somebody with a password. */
export const USER = record({
  name: field("name", parsed(`text of at most ${MAX_NAME} characters without a colon`, parseUser), {
    required: true,
    doc: "As clients give it.",
  }),
  hash: field("hash", secret({ maxLength: MAX_HASH }), {
    required: true,
    secret: true,
    doc: "What `mc-proxy hash-password` makes of the password: " +
      "`$scrypt$ln=15,r=8,p=1$salt$hash`, both base64. `ln` is the logarithm of the cost, from 10 " +
      "to 17.",
  }),
}, { identity: ["name"], rule: checkHash });

/** Who may use a route, by password. */
export const BASIC_AUTH = record({
  realm: field("realm", parsed("text of at most 128 characters", parseRealm), {
    default: "restricted",
    doc: "What browsers say the password is for.",
  }),
  forward: field("forward", boolean(), {
    default: false,
    doc: "Pass name and password on to the backend. They are taken out of requests otherwise.",
  }),
  users: field("users", records(USER, { maxLength: MAX_USERS }), {
    default: [],
    doc: "Who may. Without one nobody may.",
  }),
});

/** Who may use a route, by password. */
export type BasicAuth = ValueOf<typeof BASIC_AUTH>;

/** Whom to ask whether a request may pass. */
export const FORWARD_AUTH = record({
  url: field("url", parsed("URL of `http` or `https`", parseAuthUrl), {
    required: true,
    doc: "What is asked: a GET with the request's fields, without its content, and " +
      "`X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`. 2xx lets the request pass; 401, " +
      "403 and redirects are the client's answer; everything else, and nothing, is 503. With " +
      "`https` its certificate is checked against the system's authorities.",
  }),
  headers: field("headers", list(headerName("request"), { maxLength: MAX_HEADERS }), {
    default: [],
    doc: "Fields of its answer that the backend gets, such as `Remote-User`. Those that a client " +
      "sends itself are taken out in every spelling.",
  }),
  timeoutMs: field("timeout", duration({ min: 100, max: 60_000 }), {
    default: 5000,
    doc: "How long its answer may take.",
  }),
});

/** Whom to ask whether a request may pass. */
export type ForwardAuth = ValueOf<typeof FORWARD_AUTH>;

/** Where a question goes. */
export interface AuthTarget {
  readonly isTls: boolean;
  /** `host:port`. */
  readonly backend: string;
  /** As the URL has it. */
  readonly authority: string;
  readonly path: string;
}

/** The parts of the URL of {@link FORWARD_AUTH}, which was checked. */
export function authTarget(url: string): AuthTarget | undefined {
  const found = /^(https?):\/\/([^/?#@]+)(\/[\x21-\x7e]*)?$/.exec(url);
  if (found === null) return undefined;
  const [, scheme, authority = "", path = "/"] = found;
  if (path.includes("#")) return undefined;
  const isTls = scheme === "https";
  const hasPort = /:[0-9]+$/.test(authority);
  return {
    isTls,
    authority,
    path,
    backend: hasPort ? authority : `${authority}:${isTls ? 443 : 80}`,
  };
}

function parseAuthUrl(text: string): Result<string> {
  const target = text.length > MAX_URL ? undefined : authTarget(text);
  if (target === undefined) return { ok: false, reason: "not an http or https URL" };
  const endpoint = parseBackendEndpoint(target.backend);
  return endpoint.ok ? { ok: true, value: text } : endpoint;
}

function parseUser(text: string): Result<string> {
  if (text === "" || text.length > MAX_NAME) return { ok: false, reason: `not 1–${MAX_NAME} long` };
  if (text.includes(":")) return { ok: false, reason: "a colon ends a name" };
  return hasControl(text) ? CONTROL : { ok: true, value: text };
}

function parseRealm(text: string): Result<string> {
  if (text.length > MAX_NAME) return { ok: false, reason: `over ${MAX_NAME} characters` };
  return /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(text)
    ? { ok: true, value: text }
    : { ok: false, reason: "a sign is not allowed in it" };
}

const CONTROL = { ok: false, reason: "it holds a control character" } as const;

function hasControl(text: string): boolean {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}

/** Says nothing of what was given: it may be the password. */
function checkHash({ hash }: { readonly hash: string }, { path, report }: Place): undefined {
  const at = [...path, "hash"];
  if (report.hasProblem(at) || parsePasswordHash(hash) !== undefined) return;
  report.problem(at, "is not what `mc-proxy hash-password` writes");
}
