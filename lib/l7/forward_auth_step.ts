import type { Fields, RequestInit } from "../h2/mod.ts";
import type { Deadlines } from "../relay/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import { authTarget, type ForwardAuth } from "../state/mod.ts";
import type { Answer } from "./answer.ts";
import { fieldValue, filterFields } from "./fields.ts";
import type { Edit } from "./header_edits.ts";
import { NO_STORE, type Reply } from "./local_reply.ts";
import type { BackendConnection } from "./message.ts";
import { requestAfterSteps } from "./outgoing_request.ts";
import type { Asked, Step } from "./step.ts";
import { type SubAnswer, Subrequest } from "./subrequest.ts";

/** What of a refusal the client is told. */
const TOLD: ReadonlySet<string> = new Set([
  "cache-control",
  "content-language",
  "location",
  "set-cookie",
  "www-authenticate",
]);
/** Octets of that. */
const MAX_TOLD = 16_384;

/**
 * Fields of the request that the question does not have: they are about content that it has not, a
 * part of an answer, an answer that may be left out (304 would be no yes and no no), or a tunnel.
 */
const NOT_ASKED =
  /^(?:content-.*|if-.*|range|expect|transfer-encoding|trailer|te|upgrade|sec-websocket-.*|x-forwarded-(?:method|uri))$/;

/** What the step needs beside its settings. */
export interface ForwardAuthOptions {
  readonly upstream: () => Upstream<BackendConnection>;
  readonly deadlines: (ms: number) => Deadlines;
}

/** Asks somebody else whether a request may pass; no answer is a no. */
export function forwardAuthStep(
  { url, headers, timeoutMs }: ForwardAuth,
  { upstream, deadlines }: ForwardAuthOptions,
): Step {
  const target = authTarget(url);
  const copied = new Set(headers);
  const withoutClaims: Edit = (fields) =>
    filterFields(
      fields,
      (name) => !copied.has(name.replace(/[^0-9a-z]/g, "-")) && !copied.has(name),
    );
  return (asked) => {
    const { exchange } = asked;
    if (target === undefined) return failed("its URL is none");
    exchange.edit(withoutClaims);
    const { authority, path, isTls } = target;
    const subrequest = new Subrequest({
      upstream: upstream(),
      request: question(asked, { authority, path, scheme: isTls ? "https" : "http" }),
      client: asked.share,
      deadlines: deadlines(timeoutMs),
    });
    exchange.whenOver(() => subrequest.cancel());
    return subrequest.answer.then((answer) => {
      exchange.whenOver(undefined);
      return decide(answer, (fields) => {
        const added: string[] = [];
        for (let i = 0; i < fields.length; i += 2) {
          const name = fields[i] as string;
          if (copied.has(name)) added.push(name, fields[i + 1] as string);
        }
        exchange.edit((kept) => [...kept, ...added]);
      });
    });
  };
}

/** The request as it is asked about. */
function question(
  { exchange, facts }: Asked,
  to: { readonly scheme: string; readonly authority: string; readonly path: string },
): RequestInit {
  const { head } = exchange;
  const { fields, neverIndexed } = requestAfterSteps(exchange, facts);
  const asked = filterFields(fields, (name) => !NOT_ASKED.test(name));
  return {
    ...to,
    method: "GET",
    protocol: "",
    fields: [
      ...asked,
      "x-forwarded-method",
      head.protocol === "" ? head.method : "GET",
      "x-forwarded-uri",
      head.path,
    ],
    neverIndexed,
  };
}

function decide(answer: SubAnswer, onYes: (fields: Fields) => void): Answer | undefined {
  if ("failure" in answer) return failed(answer.failure);
  const { status, fields } = answer;
  if (status >= 200 && status < 300) {
    onYes(fields);
    return undefined;
  }
  const isRedirect = status >= 300 && status < 400 && status !== 304;
  if (status !== 401 && status !== 403 && !isRedirect) return failed(`it answered ${status}`);
  const reply = passedOn(answer);
  if (reply === undefined) return failed("the fields of its answer are too long");
  return { status, reason: `forward_auth answered ${status}`, reply };
}

function passedOn(
  { fields, content }: Exclude<SubAnswer, { failure: string }>,
): Reply | undefined {
  const told = filterFields(fields, (name) => TOLD.has(name));
  let octets = 0;
  for (const part of told) octets += part.length;
  if (octets > MAX_TOLD) return undefined;
  const hasType = fieldValue(fields, "content-encoding") === undefined;
  const type = fieldValue(fields, "content-type");
  const page = content !== undefined && content.length > 0 && type !== undefined && hasType
    ? { contentType: type, body: content }
    : undefined;
  const isCached = told.includes("cache-control");
  return { page, fields: isCached ? told : [...told, ...NO_STORE] };
}

function failed(why: string): Answer {
  return { status: 503, reason: `forward_auth: ${why}` };
}
