/**
 * Steps that answer every request, whatever it asks.
 *
 * @module
 */
import type { Respond } from "../state/mod.ts";
import { errorReply } from "./local_reply.ts";
import type { Answer } from "./answer.ts";
import type { Step } from "./step.ts";

/** In seconds; who comes by then finds the page again, or the backend. */
const MAINTENANCE_RETRY = "60";

const ENCODER = new TextEncoder();

/** The route's backend is being worked at. */
export function maintenanceStep(): Step {
  const reply = errorReply("retry-after", MAINTENANCE_RETRY);
  const answer: Answer = { status: 503, reason: "maintenance", reply };
  return () => answer;
}

/** The operator has written down what to answer. */
export function respondStep({ status, body, contentType, retryAfterMs }: Respond): Step {
  const fields = retryAfterMs === undefined
    ? []
    : ["retry-after", String(Math.ceil(retryAfterMs / 1000))];
  const reply = { page: { contentType, body: ENCODER.encode(body) }, fields };
  const answer: Answer = { status, reason: "answered by the route", reply };
  // Over HTTP/2 a success would open the tunnel (RFC 8441 §5), to nobody.
  const noTunnel: Answer = { status: 501, reason: "no tunnel: the route answers itself" };
  return ({ exchange }) => exchange.head.protocol !== "" && status < 300 ? noTunnel : answer;
}
