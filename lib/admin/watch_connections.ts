import { blockOf, cidrContains, parseIp } from "../addr/mod.ts";
import { type Control, invalid } from "../control/mod.ts";
import { type ConnectionEvent, OUTCOMES } from "../observe/mod.ts";
import { RpcError } from "../rpc/mod.ts";
import { parseIpOrCidr } from "../state/mod.ts";
import type { WatchConnectionsRequest } from "./gen/mod.ts";

/** Events that wait for one caller; more are counted and left out. */
const MAX_WAITING = 1000;
/** Events of one message. */
const MAX_TOGETHER = 100;

/** Events for a caller, and how many were left out before them. */
export interface WatchedConnections {
  readonly events: readonly ConnectionEvent[];
  readonly dropped: number;
}

/**
 * Connections as they end. A caller that does not read holds no more than a bounded number of them,
 * and delays nobody.
 *
 * @throws {RefusedError} if the request does not say which.
 */
export async function* watchConnections(
  control: Pick<Control, "watchEvents">,
  request: WatchConnectionsRequest,
  { signal, closing }: { readonly signal: AbortSignal; readonly closing: AbortSignal },
): AsyncGenerator<WatchedConnections> {
  const wanted = compileFilter(request);
  let waiting: ConnectionEvent[] = [];
  let dropped = 0;
  let arrived = Promise.withResolvers<void>();
  const wake = () => arrived.resolve();
  using _watch = control.watchEvents({
    noteConnection(event) {
      if (!wanted(event)) return;
      if (waiting.length < MAX_WAITING) waiting.push(event);
      else dropped++;
      wake();
    },
  });
  signal.addEventListener("abort", wake);
  closing.addEventListener("abort", wake);
  try {
    while (!signal.aborted) {
      if (closing.aborted) throw new RpcError("unavailable", "the proxy is shutting down");
      if (waiting.length === 0) {
        await arrived.promise;
        arrived = Promise.withResolvers();
        continue;
      }
      const events = waiting.slice(0, MAX_TOGETHER);
      waiting = waiting.slice(MAX_TOGETHER);
      // Those that were left out came behind all that wait.
      const missed = waiting.length === 0 ? dropped : 0;
      if (missed > 0) dropped = 0;
      yield { events, dropped: missed };
    }
  } finally {
    signal.removeEventListener("abort", wake);
    closing.removeEventListener("abort", wake);
  }
}

function compileFilter(
  { listenerAddr, route, client, outcome }: WatchConnectionsRequest,
): (event: ConnectionEvent) => boolean {
  if (outcome !== "" && !OUTCOMES.some((it) => it === outcome)) {
    throw invalid("outcome", `${JSON.stringify(outcome)} is none`);
  }
  const parsed = client === "" ? undefined : parseIpOrCidr(client);
  if (parsed?.ok === false) throw invalid("client", parsed.reason);
  const block = parsed?.ok ? blockOf(parsed.value, "client") : undefined;
  return (event) => {
    if (listenerAddr !== "" && event.listener !== listenerAddr) return false;
    if (route !== "" && event.route !== route) return false;
    if (outcome !== "" && event.outcome !== outcome) return false;
    if (block === undefined) return true;
    const host = event.client.slice(0, event.client.lastIndexOf(":"));
    const ip = parseIp(host.replace(/^\[|\]$/g, ""));
    return ip.ok && cidrContains(block, ip.value);
  };
}
