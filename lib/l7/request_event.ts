import type { RequestEvent } from "../observe/mod.ts";
import type { ExchangeRecord } from "./exchange_record.ts";
import type { L7Connection } from "./l7_connection.ts";

/** What the access log says of a request that is over; never its query. */
export function requestEvent(
  exchange: ExchangeRecord,
  { connection, now }: { readonly connection: L7Connection; readonly now: number },
): RequestEvent {
  const { head, route = connection.route } = exchange;
  const query = head.path.indexOf("?");
  return {
    request: exchange.id,
    connection: connection.id,
    client: connection.clientText,
    method: head.method,
    host: head.authority,
    path: query < 0 ? head.path : head.path.slice(0, query),
    route: route.hostname,
    backend: exchange.backend ?? route.backend,
    status: exchange.status,
    ...exchange.backendOutcome !== undefined && { backendOutcome: exchange.backendOutcome },
    ...exchange.grpcStatus !== undefined && { grpcStatus: exchange.grpcStatus },
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    durationMs: round(now - exchange.startedAt),
    ...exchange.upstreamMs !== undefined && { upstreamMs: round(exchange.upstreamMs) },
    protocol: exchange.protocol,
    ...exchange.backendProtocol !== undefined && { backendProtocol: exchange.backendProtocol },
    ...exchange.policy !== undefined && { policy: exchange.policy },
    ...exchange.reason !== undefined && { reason: exchange.reason },
  };
}

/** To a hundredth of a millisecond. */
function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
