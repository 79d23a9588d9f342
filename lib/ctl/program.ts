import {
  addFieldFlags,
  addRequiredOption,
  asArgument,
  type FlagValues,
  parseDuration,
  parseInteger,
  SHELLS,
} from "../terminal/mod.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { BACKEND, BACKEND_STATES, LISTENER, ROUTE, RULE } from "../state/mod.ts";
import type { RuleFlags } from "./firewall.ts";
import { addExamples } from "./examples.ts";
import type { Session } from "./session.ts";

/** Where an installation has its socket. */
export const DEFAULT_SOCKET = "/srv/mc-proxy/mc-proxy.sock";
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_LIMIT = 100;

/** What a command does in a session; an exit code, or nothing for success. */
export type Task = (session: Session) => Promise<number | void>;

/** What the commands do with their tasks, and the two that need no proxy. */
export interface ProgramHost {
  /** Runs a task. */
  run(task: Task): Promise<void>;
  /** Writes a completion script. */
  completions(shell: typeof SHELLS[number]): Promise<void>;
  readonly version: string;
}

/**
 * The commands and their flags. What they do is loaded when they run: `--help` has to be fast, and
 * gRPC is most of the program.
 */
export function createProgram(host: ProgramHost): Command {
  const program = new Command("mcproxyctl")
    .description("Administers a running mc-proxy through its socket.")
    .version(host.version)
    .option("-s, --socket <path>", "socket of the proxy (`grpc.addr`)", DEFAULT_SOCKET)
    .option("--json", "print the answer as JSON, for machines")
    .option("--as <name>", "who asks, for the audit log")
    .option(
      "--if-revision <n>",
      "refuse a change unless the state is at this revision, which `status` shows",
      bigint,
    )
    .addOption(
      new Option("--timeout <duration>", "how long to wait for an answer")
        .argParser(duration).default(DEFAULT_TIMEOUT_MS, "30s"),
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError("(mcproxyctl --help shows the usage)");
  addRoutes(program, host);
  addBackends(program, host);
  addListeners(program, host);
  addFirewall(program, host);
  addPolicies(program, host);
  addQuestions(program, host);
  addCertificates(program, host);
  addState(program, host);
  program.command("completions")
    .description("print a completion script for a shell")
    .addArgument(program.createArgument("<shell>", "your shell").choices(SHELLS))
    .action((shell: typeof SHELLS[number]) => host.completions(shell));
  // For completion scripts.
  program.command("values", { hidden: true })
    .argument("<kind>", "listeners or hostnames")
    .action((kind: string) =>
      host.run(async (session) => (await import("./values.ts")).listValues(session, kind))
    );
  addExamples(program, []);
  return program;
}

const ADDR = "address of a listener, such as :443";
const HOSTNAME = "hostname of a route, such as www.example.net or *.example.net";
const CLOSE = "close the connections that took it; without this they go on";

function addRoutes(program: Command, { run }: ProgramHost): void {
  const routes = program.command("routes").description("where the connections for a name go");
  routes.command("list")
    .description("list routes")
    .argument("[listener]", "only of this listener")
    .action((listener?: string) =>
      run(async (session) => (await import("./routes.ts")).listRoutes(session, listener))
    );
  addFieldFlags(
    routes.command("add")
      .description("add a route; without flags it relays TLS as it is (l4)")
      .argument("<listener>", ADDR)
      .argument("<hostname>", HOSTNAME)
      .argument("[backend]", "host:port; not needed for --mode mtls"),
    ROUTE.shape,
    { except: ["backend"] },
  ).action((listener: string, hostname: string, backend: string | undefined, flags: FlagValues) =>
    run(async (session) => {
      const { addRoute } = await import("./routes.ts");
      await addRoute(session, { listener, hostname, backend }, flags);
    })
  );
  addFieldFlags(
    routes.command("update")
      .description("change what the flags say and keep the rest, in one step")
      .argument("<listener>", ADDR)
      .argument("<hostname>", HOSTNAME),
    ROUTE.shape,
    { off: true },
  )
    .option("--close", CLOSE)
    .action((listener: string, hostname: string, flags: FlagValues & { close?: boolean }) =>
      run(async (session) => {
        const { updateRoute } = await import("./routes.ts");
        await updateRoute(session, { listener, hostname }, flags);
      })
    );
  routes.command("maintenance")
    .description("have an l7 route answer 503 to every request, or ask its backend again")
    .argument("<hostname>", HOSTNAME)
    .addArgument(routes.createArgument("<state>", "on or off").choices(["on", "off"]))
    .option("--listener <listener>", "where several have a route of that hostname")
    .action((hostname: string, state: "on" | "off", { listener }: { listener?: string }) =>
      run(async (session) => {
        const { setMaintenance } = await import("./maintenance.ts");
        await setMaintenance(session, { hostname, state, listener });
      })
    );
  routes.command("remove")
    .description("remove a route")
    .argument("<listener>", ADDR)
    .argument("<hostname>", HOSTNAME)
    .option("--close", CLOSE)
    .action((listener: string, hostname: string, flags: { close?: boolean }) =>
      run(async (session) => {
        const { removeRoute } = await import("./routes.ts");
        await removeRoute(session, { listener, hostname }, flags);
      })
    );
}

const BACKEND_COMMANDS = {
  up: "use a backend again",
  drain: "give a backend no new connections; those that are open go on",
  down: "take a backend down: no new connections, and those that are open are cut",
} as const;

const LISTENER_FLAG = ["--listener <addr>", "where the hostname is on several"] as const;
const BACKEND_ADDR = "address of the backend, such as 10.0.0.7:443";

function addBackends(program: Command, { run }: ProgramHost): void {
  const load = () => import("./backends.ts");
  const backends = program.command("backends").description("the backends of a route, one by one");
  const change = (name: string, description: string) =>
    backends.command(name).description(description)
      .argument("<hostname>", HOSTNAME)
      .argument("<addr>", BACKEND_ADDR)
      .option(...LISTENER_FLAG);
  const deadline = [
    "--deadline <duration>",
    "cut what is still open after this time",
    duration,
  ] as const;
  backends.command("list", { isDefault: true })
    .description("how backends are, and why; without a hostname: of routes with several")
    .argument("[hostname]", HOSTNAME)
    .option(...LISTENER_FLAG)
    .action((hostname: string | undefined, flags) =>
      run(async (session) => (await load()).listBackends(session, hostname, flags))
    );
  addFieldFlags(change("add", "add a backend to a route"), BACKEND.shape)
    .action((hostname: string, addr: string, flags: FlagValues) =>
      run(async (session) => (await load()).addBackend(session, { hostname, addr }, flags))
    );
  change("remove", "take a backend out of a route; connections that are open go on")
    .option(...deadline)
    .action((hostname: string, addr: string, flags) =>
      run(async (session) => (await load()).removeBackend(session, { hostname, addr }, flags))
    );
  for (const state of BACKEND_STATES) {
    const command = change(state, BACKEND_COMMANDS[state]);
    if (state === "drain") command.option(...deadline);
    command.action((hostname: string, addr: string, flags) =>
      run(async (session) =>
        (await load()).setBackendState(session, { hostname, addr, state }, flags)
      )
    );
  }
}

function addListeners(program: Command, { run }: ProgramHost): void {
  const listeners = program.command("listeners").description("where connections are accepted");
  listeners.command("list")
    .description("list listeners with their connections")
    .action(() => run(async (session) => (await import("./routes.ts")).listListeners(session)));
  addFieldFlags(
    listeners.command("add")
      .description("accept connections at an address")
      .argument("<addr>", "such as :443, 192.0.2.1:443 or [2001:db8::1]:443"),
    LISTENER.shape,
  )
    .action((addr: string, flags: FlagValues) =>
      run(async (session) => (await import("./routes.ts")).addListener(session, addr, flags))
    );
  addFieldFlags(
    listeners.command("update")
      .description("change what the flags say and keep the rest, for new connections")
      .argument("<addr>", ADDR),
    LISTENER.shape,
    { off: true },
  )
    .action((addr: string, flags: FlagValues) =>
      run(async (session) => (await import("./routes.ts")).updateListener(session, addr, flags))
    );
  listeners.command("remove")
    .description("stop accepting connections at an address, and remove its routes")
    .argument("<addr>", ADDR)
    .option("--close", "close its connections; without this they go on")
    .option("--drain <duration>", "close its connections after this time", duration)
    .action((addr: string, flags: { close?: boolean; drain?: number }) =>
      run(async (session) => (await import("./routes.ts")).removeListener(session, addr, flags))
    );
}

const RULE_COMMANDS = {
  add: "block an address, a block of addresses or a country",
  allow: "exempt an address, a block of addresses or a country from rules that block",
} as const;

function addFirewall(program: Command, { run }: ProgramHost): void {
  const firewall = program.command("firewall").description(
    "who is refused before anything is read",
  );
  firewall.command("list")
    .description("list rules with their hits, and the rate limit")
    .action(() => run(async (session) => (await import("./firewall.ts")).listRules(session)));
  for (const action of ["add", "allow"] as const) {
    addFieldFlags(
      firewall.command(action)
        .description(RULE_COMMANDS[action])
        .argument("<type>", "ip, cidr or country")
        .argument("<value>", "such as 192.0.2.1, 192.0.2.0/24 or NL"),
      RULE.shape,
      action === "add" ? {} : { except: ["action"] },
    )
      .option("--ttl <duration>", "the rule ends on its own after this time", duration)
      .option("--close", "close live connections of those it blocks; without this they go on")
      .option("--yes", "also if the rule covers everybody, or you")
      .option("--dry-run", "change nothing; say which clients of the past it would be about")
      .option(
        "--replay <duration>",
        "with --dry-run: the clients of so long (default: 24h)",
        duration,
      )
      .action((type: string, value: string, flags: FlagValues & RuleFlags) =>
        run(async (session) => {
          const { addRule } = await import("./firewall.ts");
          await addRule(
            session,
            { type, value },
            action === "allow" ? { ...flags, action } : flags,
          );
        })
      );
  }
  firewall.command("remove")
    .description("remove a rule")
    .argument("[type]", "ip, cidr or country")
    .argument("[value]", "such as 192.0.2.1")
    .addOption(
      new Option(
        "--action <action>",
        "of two about the same: which one",
      )
        .choices(["block", "allow"]),
    )
    .option("--id <n>", "the rule's id, instead of type and value", bigint)
    .action((
      type: string | undefined,
      value: string | undefined,
      flags: { id?: bigint; action?: string },
    ) =>
      run(async (session) => {
        const { removeRule } = await import("./firewall.ts");
        await removeRule(session, { type, value }, flags);
      })
    );
  firewall.command("rate-limit")
    .description("limit new connections per source address, over restarts")
    .argument("<limit>", "connections in each window; 0: off", parseInteger)
    .argument("[window]", "such as 10s", duration)
    .action((limit: number, window: number | undefined) =>
      run(async (session) => (await import("./firewall.ts")).setRateLimit(session, limit, window))
    );
  firewall.command("reload-geoip")
    .description("read the GeoIP database's file again")
    .action(() => run(async (session) => (await import("./firewall.ts")).reloadGeoIp(session)));
}

function addPolicies(program: Command, { run }: ProgramHost): void {
  const policies = program.command("policies").description("conditions on requests of l7 routes");
  policies.command("list")
    .description("list the policies of a route")
    .argument("<listener>", ADDR)
    .argument("<hostname>", HOSTNAME)
    .action((listener: string, hostname: string) =>
      run(async (session) => {
        await (await import("./routes.ts")).listPolicies(session, { listener, hostname });
      })
    );
  for (const verb of ["add", "remove"] as const) {
    policies.command(verb)
      .description(`${verb} a policy`)
      .argument("<listener>", ADDR)
      .argument("<hostname>", HOSTNAME)
      .argument("<type>", "block_user_agent or require_header")
      .argument("<value>", "text in the User-Agent, or the name of a header")
      .action((listener: string, hostname: string, type: string, value: string) =>
        run(async (session) => {
          const { addPolicy, removePolicy } = await import("./routes.ts");
          const change = verb === "add" ? addPolicy : removePolicy;
          await change(session, { listener, hostname, type, value });
        })
      );
  }
}

function addQuestions(program: Command, { run }: ProgramHost): void {
  const load = () => import("./observe.ts");
  program.command("status")
    .description("how the proxy is doing; fails when it is not healthy")
    .action(() => run(async (session) => (await load()).showStatus(session)));
  program.command("top")
    .description("a live view of the proxy; q or Ctrl-C ends it")
    .option("--interval <duration>", "time between two looks", duration, 1000)
    .action((flags: { interval: number }) =>
      run(async (session) => (await import("./top.ts")).showTop(session, flags))
    );
  program.command("clients")
    .description("who makes the most connections, refusals or traffic")
    .addOption(
      new Option("--by <what>", "what makes one heavy")
        .choices(["connections", "refused", "bytes"]).default("connections"),
    )
    .addOption(
      new Option("--last <duration>", "of the last 1m, 10m or 60m")
        .argParser(duration).default(600_000, "10m"),
    )
    .addOption(
      new Option("--group <what>", "only these")
        .choices(["client", "network", "name", "country"]),
    )
    .option("--limit <n>", "at most so many of each group, up to 256", parseInteger, 10)
    .action((flags) =>
      run(async (session) => (await import("./clients.ts")).listHeaviest(session, flags))
    );
  const connections = program.command("connections").description("live connections");
  connections.command("list", { isDefault: true })
    .description("list connections, the oldest first")
    .option("--listener <addr>", "only of this listener")
    .option("--route <hostname>", "only of this route")
    .option("--client <ip|cidr>", "only of these clients")
    .option("--limit <n>", "at most so many", parseInteger, DEFAULT_LIMIT)
    .action((flags) => run(async (session) => (await load()).listConnections(session, flags)));
  connections.command("close")
    .description("cut a connection off")
    .argument("<id>", "as the list shows it")
    .action((id: string) => run(async (session) => (await load()).closeConnection(session, id)));
  program.command("explain")
    .description("what would happen to a connection, and why")
    .argument("<client-ip>", "address of the client")
    .argument("<listener>", ADDR)
    .argument("[sni]", "name that the client asks for")
    .argument("[path]", "path of a request to an l7 route, as it is sent")
    .action((clientIp: string, listener: string, sni?: string, path?: string) =>
      run(async (session) =>
        (await load()).explainVerdict(session, { clientIp, listener, sni, path })
      )
    );
  program.command("history")
    .description("connections of the past, the latest first, where [history] is configured")
    .option("--client <ip|cidr>", "only of these clients")
    .option("--sni <name>", "only for this name; *.example.net: for all that end so")
    .option("--outcome <outcome>", "only those that ended so; refused: in any way")
    .option("--since <duration>", "of so long", duration, 86_400_000)
    .option("--limit <n>", "at most so many, up to 10000", parseInteger, DEFAULT_LIMIT)
    .action((flags) =>
      run(async (session) => (await import("./history.ts")).showHistory(session, flags))
    );
  program.command("audit")
    .description("what was changed, by whom and when; the latest first")
    .option("--limit <n>", "at most so many, up to 1000", parseInteger, DEFAULT_LIMIT)
    .action((flags: { limit: number }) =>
      run(async (session) => (await load()).showAudit(session, flags))
    );
  program.command("health")
    .description("whether the proxy serves; fails when it does not")
    .action(() => run(async (session) => (await load()).checkHealth(session)));
}

function addCertificates(program: Command, { run }: ProgramHost): void {
  const load = () => import("./certificates.ts");
  const certificates = program.command("certificates").description("certificates of routes");
  certificates.command("list", { isDefault: true })
    .description("list certificates, who issued them and until when they are good")
    .action(() => run(async (session) => (await load()).listCertificates(session)));
  certificates.command("renew")
    .description("order a certificate from the authority now")
    .argument("<hostname>", HOSTNAME)
    .action((hostname: string) =>
      run(async (session) => (await load()).renewCertificate(session, hostname))
    );
  certificates.command("revoke")
    .description("revoke a certificate at its authority, and order another one")
    .argument("<hostname>", HOSTNAME)
    .action((hostname: string) =>
      run(async (session) => (await load()).revokeCertificate(session, hostname))
    );
  certificates.command("rollover-key")
    .description("give the account at the authority another key")
    .action(() => run(async (session) => (await load()).rolloverKey(session)));
}

function addState(program: Command, { run }: ProgramHost): void {
  addRequiredOption(
    program.command("apply")
      .description("make the state equal to a file, in one step, showing the difference first"),
    "-f, --file <path>",
    "the configuration, or what `export` writes; - for the standard input",
  )
    .option("--diff", "show the difference and change nothing")
    .option(
      "--replay <duration>",
      "with --diff: say which clients of so long it would have refused or let in",
      duration,
    )
    .option("--close", "close connections of routes that change; without this they go on")
    .option("--yes", "also if a new rule covers everybody, or you")
    .action((flags) =>
      run(async (session) => (await import("./state.ts")).applyFile(session, flags))
    );
  program.command("reload")
    .description(
      "read files again: certificates, GeoIP, and the configuration where state.source is file",
    )
    .option("--diff", "show what the configuration would change, and change nothing")
    .option("--close", "close connections of routes that change; without this they go on")
    .action((flags) => run(async (session) => (await import("./state.ts")).reload(session, flags)));
  program.command("export")
    .description("print the state, as `apply` takes it")
    .action(() => run(async (session) => (await import("./state.ts")).exportState(session)));
  program.command("snapshot")
    .description("copy the database while it is in use")
    .argument("<path>", "where to, on the proxy's machine, in a folder it may write to")
    .option("--overwrite", "replace a file that exists")
    .action((path: string, flags: { overwrite?: boolean }) =>
      run(async (session) => (await import("./observe.ts")).writeSnapshot(session, path, flags))
    );
  program.command("write-back")
    .description("write the database back to its path, after it was removed or replaced")
    .action(() => run(async (session) => (await import("./state.ts")).writeBack(session)));
}

function duration(text: string): number {
  return asArgument(() => parseDuration(text));
}

function bigint(text: string): bigint {
  if (/^[0-9]{1,18}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("Not a whole number.");
}
