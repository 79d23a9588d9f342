import { health } from "../admin/gen/mod.ts";
import { RpcError } from "../rpc/mod.ts";
import type { Handlers } from "./service.ts";

const { HealthCheckResponse_ServingStatus: ServingStatus } = health;

/** How often `Watch` looks. */
const WATCH_INTERVAL_MS = 1000;

/** What the health service knows of the proxy. */
export interface HealthSource {
  /** Whether the proxy serves as it should. */
  healthy(): boolean;
  /** Names of services, beside the empty one. */
  readonly services: readonly string[];
  /** Resolves after a time, or as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Aborted when the server ends. */
  readonly closing: AbortSignal;
}

/** `grpc.health.v1.Health`. */
export function healthHandlers(source: HealthSource): Handlers<typeof health.Health> {
  const known = new Set(["", ...source.services]);
  const status = () => source.healthy() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  return {
    check({ service }) {
      if (!known.has(service)) throw new RpcError("not_found", "service: there is no such service");
      return { status: status() };
    },
    async *watch({ service }, { signal }) {
      let last: number | undefined;
      while (!signal.aborted && !source.closing.aborted) {
        const now = known.has(service) ? status() : ServingStatus.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
        await source.sleep(WATCH_INTERVAL_MS, signal);
      }
    },
  };
}
