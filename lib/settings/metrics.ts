import { checkPath, parsed, table } from "../schema/mod.ts";
import { listenEndpoint, MAX_SOCKET_PATH } from "./endpoints.ts";

/** Measurements over HTTP. */
export interface MetricsConfig {
  /** Canonical, such as `127.0.0.1:9100`; one with a slash is the path of a Unix socket. */
  readonly addr: string;
}

/** `[metrics]`. */
export const metrics = table<MetricsConfig>({
  addr: {
    key: "addr",
    kind: parsed(
      '`":port"`, `"IPv4:port"`, `"[IPv6]:port"` or the path of a Unix socket',
      (text) => text.includes("/") ? checkPath(text, MAX_SOCKET_PATH) : listenEndpoint(text),
      (port) => `127.0.0.1:${port}`,
    ),
    required: true,
    doc: "Where Prometheus finds `/metrics`, and a load balancer `/healthz`. Whoever reaches the " +
      "address may read them, so it should be a loopback or internal one. A value with a slash is " +
      "a Unix socket, created with mode 0600.",
  },
});
