import type { RequestInit } from "../h2/mod.ts";
import type { ExchangeRecord } from "./exchange_record.ts";
import { backendRequest, type ClientFacts } from "./request_fields.ts";

/** As `Via` names them (RFC 9110 §7.6.3). */
const VERSIONS = { "h2": "2", "http/1.1": "1.1", "http/1.0": "1.0" } as const;

/** An exchange's request with what this hop says, and with what its steps have changed. */
export function requestAfterSteps(exchange: ExchangeRecord, facts: ClientFacts): RequestInit {
  const { id, protocol } = exchange;
  const request = backendRequest(exchange.head, facts, { id, version: VERSIONS[protocol] });
  const fields = exchange.edited(request.fields);
  return fields === request.fields ? request : { ...request, fields };
}

/** The same as the route's rules have it: what the backend gets. */
export function outgoingRequest(exchange: ExchangeRecord, facts: ClientFacts): RequestInit {
  const request = requestAfterSteps(exchange, facts);
  const fields = exchange.rules?.editRequest?.(request.fields) ?? request.fields;
  return fields === request.fields ? request : { ...request, fields };
}
