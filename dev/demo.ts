/**
 * What the development server shows: the sites behind the proxy, the configuration that routes to
 * them, and commands to try.
 *
 * @module
 */

import { CONNECTOR_DOMAIN, CONNECTOR_HOST, connectorConfig } from "./connector_demo.ts";
import { namesCommands, namesConfig } from "./names_demo.ts";

/** The first port: the proxy listens here, and with PROXY protocol on the next one. */
export const DEFAULT_PORT = 8443;

/** The sites listen this far above the proxy's first port. */
const SITE_PORT_OFFSET = 1000;

/** And the name server so far. */
const NAMES_PORT_OFFSET = 1100;

/** One site, its route and how to reach it. */
export interface Demo {
  /** Hostname of the route; `*.` in front makes it a wildcard. */
  readonly hostname: string;
  /** A name that the route matches. */
  readonly example: string;
  /** What it shows, one line. */
  readonly about: string;
  /** Who terminates TLS: an l4 site itself, otherwise the proxy. */
  readonly mode: "l4" | "l7" | "mtls";
  readonly sendProxyProtocol: boolean;
  /** Requests whose User-Agent contains this are refused; l7 only. */
  readonly blockedUserAgent?: string;
}

/** Every demo, in the order in which they are printed; the index decides the site's port. */
export const DEMOS: readonly Demo[] = [
  {
    hostname: "one.localhost",
    example: "one.localhost",
    about: "l4: relayed by server name, TLS ends at the site",
    mode: "l4",
    sendProxyProtocol: false,
  },
  {
    hostname: "two.localhost",
    example: "two.localhost",
    about: "l4 with a PROXY v2 header: the site sees the real client",
    mode: "l4",
    sendProxyProtocol: true,
  },
  {
    hostname: "*.wild.localhost",
    example: "any.wild.localhost",
    about: "l4 by wildcard",
    mode: "l4",
    sendProxyProtocol: false,
  },
  {
    hostname: "web.localhost",
    example: "web.localhost",
    about: "l7: TLS ends at the proxy, which speaks HTTP/2; the site sees X-Forwarded-For",
    mode: "l7",
    sendProxyProtocol: false,
    blockedUserAgent: "BadBot",
  },
  {
    hostname: `*.${CONNECTOR_DOMAIN}`,
    example: `${CONNECTOR_HOST}.${CONNECTOR_DOMAIN}`,
    about: "mtls: your certificate says who you are, a database what you may reach",
    mode: "mtls",
    sendProxyProtocol: true,
  },
];

/** Ports of the proxy and, by index, of the sites. */
export interface DemoPorts {
  readonly public: number;
  readonly proxyProtocol: number;
  readonly sites: readonly number[];
  /** Of the name server: questions, and its management. */
  readonly names: { readonly dns: number; readonly rest: number; readonly grpc: number };
}

/** The ports that follow from the first one. */
export function demoPorts(first: number): DemoPorts {
  return {
    public: first,
    proxyProtocol: first + 1,
    sites: DEMOS.map((_, index) => first + SITE_PORT_OFFSET + index),
    names: {
      dns: first + NAMES_PORT_OFFSET,
      rest: first + NAMES_PORT_OFFSET + 1,
      grpc: first + NAMES_PORT_OFFSET + 2,
    },
  };
}

/** The name of a demo's certificate files. */
export function fileName({ hostname }: Demo): string {
  return hostname.replace("*.", "");
}

/** The configuration that the first run writes; `folder` is where its files are. */
export function demoConfig(ports: DemoPorts, folder: string): string {
  const routes = DEMOS.map((demo, index) => route(demo, ports.sites[index] ?? 0, folder));
  return `# Made by the development server. Listeners, routes and firewall rules seed the database on
# the first run; afterwards the database is the truth, and editing them here changes nothing.
# Remove the folder to start afresh.

[database]
path = "${folder}/mc-proxy.db"

[[listeners]]
addr = "127.0.0.1:${ports.public}"
${routes.join("\n")}
# Behind another proxy: each connection has to begin with a PROXY protocol header.
[[listeners]]
addr = "127.0.0.1:${ports.proxyProtocol}"
proxy_protocol = true
trusted_proxies = ["127.0.0.0/8"]
${routes.join("\n")}
${connectorConfig(folder)}
${namesConfig(ports, folder)}
[grpc]
addr = "${folder}/mc-proxy.sock"

[firewall]
blocked_ips = ["203.0.113.9"]
blocked_cidrs = ["198.51.100.0/24", "2001:db8:bad::/48"]
rate_limit = 100
rate_window = "10s"

[proxy]
connect_timeout = "5s"
idle_timeout = "300s"
shutdown_timeout = "2s"

[log]
level = "info"
format = "text"
`;
}

function route(demo: Demo, port: number, folder: string): string {
  const { about, hostname, mode, sendProxyProtocol, blockedUserAgent } = demo;
  const lines = [
    `# ${about}`,
    "[[listeners.routes]]",
    `hostname = "${hostname}"`,
    `mode = "${mode}"`,
    `send_proxy_protocol = ${sendProxyProtocol}`,
  ];
  // The connector's backends are in its database.
  if (mode !== "mtls") lines.push(`backend = "127.0.0.1:${port}"`);
  if (mode === "l7") {
    lines.push(`tls_cert = "${folder}/certs/${fileName(demo)}.pem"`);
    lines.push(`tls_key = "${folder}/certs/${fileName(demo)}.key"`);
  }
  if (blockedUserAgent !== undefined) {
    lines.push("", "  [[listeners.routes.policies]]", `  type = "block_user_agent"`);
    lines.push(`  value = "${blockedUserAgent}"`);
  }
  return lines.map((line) => line === "" ? "\n" : `\n  ${line}`).join("") + "\n";
}

/** A command to try. */
export interface DemoCommand {
  /** What it shows, one line. */
  readonly about: string;
  readonly command: string;
  /** How its output begins; `undefined` when it has none and ends in an error. */
  readonly prints: string | undefined;
}

/** The commands to try; `folder` is where the authority's certificate is. */
export function demoCommands(ports: DemoPorts, folder: string): DemoCommand[] {
  const curl = (example: string, port: number, options = "") =>
    `curl ${options}--cacert ${folder}/ca.pem --resolve ${example}:${port}:127.0.0.1 ` +
    `https://${example}:${port}/`;
  const openssl = (user: string) =>
    `openssl s_client -quiet -connect 127.0.0.1:${ports.public} ` +
    `-servername ${CONNECTOR_HOST}.${CONNECTOR_DOMAIN} -CAfile ${folder}/ca.pem ` +
    `-cert ${folder}/connector/${user}.pem -key ${folder}/connector/${user}.key </dev/null`;
  return [
    ...DEMOS.filter(({ mode }) => mode !== "mtls").map(({ about, example, hostname }) => ({
      about,
      command: curl(example, ports.public),
      prints: `backend: ${hostname}\n`,
    })),
    {
      about: "l7 with a policy: this User-Agent is refused",
      command: curl("web.localhost", ports.public, "--user-agent BadBot/1.0 "),
      prints: "403 Forbidden\n",
    },
    {
      about: "the listener that requires a PROXY header",
      command: curl("one.localhost", ports.proxyProtocol, "--haproxy-protocol "),
      prints: "backend: one.localhost\n",
    },
    {
      about: "mtls: alice's certificate says who she is, and the database lets her in",
      command: openssl("alice"),
      prints: `backend: *.${CONNECTOR_DOMAIN}\n`,
    },
    {
      about: "mtls: mallory is of another organisation, and is refused",
      command: openssl("mallory"),
      prints: undefined,
    },
    ...namesCommands(ports, folder),
  ];
}
