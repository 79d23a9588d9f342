/**
 * How the program is run: the version of Deno and the permissions it is given. Everything that
 * names either of them is checked against this file by `tests/unit/deploy`.
 *
 * @module
 */

/** The version of Deno that the program is built, tested and deployed with. */
export const DENO_VERSION = "2.9.6";

/**
 * The environment that the program sees: where systemd wants to hear that it is ready and alive,
 * and how often (sd_notify(3)); which listening sockets it passes (sd_listen_fds(3)); and whether
 * another allocator was preloaded, which it reports. The last it sets itself: how often the threads
 * of its workers look for input, see `lib/workers/event_interval.ts`.
 */
export const VARIABLES = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "LISTEN_FDS",
  "LISTEN_PID",
  "LD_PRELOAD",
  "DENO_TOKIO_EVENT_INTERVAL",
] as const;

/** The environment that `mcproxyctl` sees: where the operator's terminal is, who is not to be blocked. */
const CLIENT_VARIABLES = ["SSH_CONNECTION"] as const;

/** What names are resolved with: read and never written. */
export const SYSTEM_FILES = ["/etc/hosts", "/etc/resolv.conf"] as const;

/**
 * How the collector of each thread is set up, in MiB. A proxy's objects live as long as a request:
 * a young generation that holds many requests finds nearly all of them dead, and an old one that may
 * grow a little is not searched ten times a second for nothing (40 % of the time of a busy worker).
 * It costs some 25 MiB of memory for each thread.
 */
const V8_FLAGS = ["--initial-old-space-size=96", "--min-semi-space-size=16"] as const;

/** Nothing is asked, and no code comes from elsewhere. */
const SEALED = ["--no-prompt", "--frozen", "--no-remote", "--deny-import"] as const;

/** Where an installation keeps its files. */
export interface Folders {
  /** `main.ts`, `lib`, `deno.json`, `deno.lock`. */
  readonly source: string;
  /** Configuration, database, certificates, GeoIP file, admin socket. */
  readonly data: string;
  /** systemd's notification socket, which it may write to; not there outside of a service. */
  readonly notify?: string;
}

/** Where `deploy/install.sh` puts them. */
export const INSTALLED = { source: "/opt/mc-proxy", data: "/srv/mc-proxy" } as const;

/** An installation that is run by systemd. */
export const SERVICE = { ...INSTALLED, notify: "/run/systemd/notify" } as const;

/**
 * Deno's flags for `mc-proxy server` and the other commands that open the database.
 *
 * The network is open: routes name backends at run time. Files are not: the program reads its own
 * source (a worker is loaded like a dynamic import), its data and {@link SYSTEM_FILES}, and writes
 * its data. No
 * subprocess, no native library, no code from elsewhere. Of the environment it sees
 * {@link VARIABLES}; others, which npm packages look up while they load, read as unset instead of
 * ending the program.
 *
 * @example
 * ```ts
 * import { INSTALLED, serverFlags } from "./runtime.ts";
 *
 * console.assert(serverFlags(INSTALLED).includes("--allow-write=/srv/mc-proxy"));
 * ```
 */
export function serverFlags({ source, data, notify }: Folders): string[] {
  const read = [source, data, ...SYSTEM_FILES];
  return programFlags({ data, notify }, { read, variables: VARIABLES });
}

/** The environment that `mcns` sees: systemd's wishes, and whether another allocator was preloaded. */
const MCNS_VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LD_PRELOAD"] as const;

/** Where `deploy/install-mcns.sh` puts the name server; the program is that of the proxy. */
export const MCNS_INSTALLED = { source: "/opt/mc-proxy", data: "/srv/mcns" } as const;

/** An installation of the name server that is run by systemd. */
export const MCNS_SERVICE = { ...MCNS_INSTALLED, notify: "/run/systemd/notify" } as const;

/**
 * Deno's flags for `mcns server` and its other commands: those of {@link serverFlags}, but that it reads
 * no system files, and may know which addresses the machine has, since it serves each by itself.
 *
 * @example
 * ```ts
 * import { MCNS_INSTALLED, mcnsFlags } from "./runtime.ts";
 *
 * console.assert(mcnsFlags(MCNS_INSTALLED).includes("--allow-write=/srv/mcns"));
 * ```
 */
export function mcnsFlags({ source, data, notify }: Folders): string[] {
  const sees = { read: [source, data], variables: MCNS_VARIABLES };
  return programFlags({ data, notify }, { ...sees, system: ["networkInterfaces"] });
}

/**
 * Deno's flags for `mcproxyctl`: the proxy's socket, and where the operator is. Deno checks a Unix socket as
 * network, reading and writing at once.
 *
 * @example
 * ```ts
 * import { clientFlags } from "./runtime.ts";
 *
 * console.assert(clientFlags("/run/a.sock").includes("--allow-net=unix:/run/a.sock"));
 * ```
 */
export function clientFlags(socket: string): string[] {
  return [
    ...SEALED,
    `--allow-env=${CLIENT_VARIABLES.join(",")}`,
    "--ignore-env",
    `--allow-net=unix:${socket}`,
    `--allow-read=${socket}`,
    `--allow-write=${socket}`,
  ];
}

/**
 * Deno's flags for `mcnsctl`: the name server's socket, and name servers elsewhere with the files of
 * their authorities and tokens, which the operator names. It writes nothing.
 *
 * @example
 * ```ts
 * import { mcnsctlFlags } from "./runtime.ts";
 *
 * console.assert(mcnsctlFlags("/run/a.sock").includes("--allow-write=/run/a.sock"));
 * ```
 */
export function mcnsctlFlags(socket: string): string[] {
  // Deno checks a Unix socket as network, reading and writing at once.
  return [...SEALED, "--ignore-env", "--allow-net", "--allow-read", `--allow-write=${socket}`];
}

/** The flags of a program that serves: it has the network, writes its data, and is told what it reads. */
function programFlags(
  { data, notify }: { readonly data: string; readonly notify: string | undefined },
  { read, variables, system = [] }: {
    readonly read: readonly string[];
    readonly variables: readonly string[];
    readonly system?: readonly string[];
  },
): string[] {
  return [
    ...SEALED,
    // Workers with fewer permissions, and datagrams over a Unix socket, to notify systemd.
    "--unstable-worker-options",
    "--unstable-net",
    "--allow-net",
    ...system.length > 0 ? [`--allow-sys=${system.join(",")}`] : [],
    `--allow-env=${variables.join(",")}`,
    "--ignore-env",
    `--allow-read=${read.join(",")}`,
    `--allow-write=${notify === undefined ? data : `${data},${notify}`}`,
    `--v8-flags=${V8_FLAGS.join(",")}`,
  ];
}
