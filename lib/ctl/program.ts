import { Command, Option } from "commander";
import { addCompletions, bigint, duration, outputTo } from "../terminal/mod.ts";
import { addBackends } from "./commands/backends.ts";
import { addCertificates } from "./commands/certificates.ts";
import { addConnections } from "./commands/connections.ts";
import { addFirewall } from "./commands/firewall.ts";
import { addFleet } from "./commands/fleet.ts";
import type { ProgramHost } from "./commands/host.ts";
import { addListeners } from "./commands/listeners.ts";
import { addOverview } from "./commands/overview.ts";
import { addPolicies } from "./commands/policies.ts";
import { addQuestions } from "./commands/questions.ts";
import { addRoutes } from "./commands/routes.ts";
import { addState } from "./commands/state.ts";
import { addExamples } from "./examples.ts";
import { LIVE_VALUES } from "./values.ts";

/** Where an installation has its socket. */
const DEFAULT_SOCKET = "/srv/mc-proxy/mc-proxy.sock";
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * The commands and their flags. What they do is loaded when they run: `--help` has to be fast, and
 * gRPC is most of the program.
 */
export function createProgram(host: ProgramHost): Command {
  const program = new Command("mcproxyctl");
  // Before the commands, which take it over when they are added.
  if (host.streams !== undefined) program.configureOutput(outputTo(host.streams));
  program.description("Administers a running mc-proxy through its socket.")
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
      new Option(
        "--wait <who>",
        "of a group: when a change is made, wait until it is in effect at others",
      ).choices(["all", "quorum", "local"]),
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
  addOverview(program, host);
  addConnections(program, host);
  addQuestions(program, host);
  addCertificates(program, host);
  addState(program, host);
  addFleet(program, host);
  addCompletions(program, LIVE_VALUES, host.streams?.stdout);
  // For completion scripts.
  program.command("values", { hidden: true })
    .argument("<kind>", "listeners or hostnames")
    .action((kind: string) =>
      host.run(async (session) => (await import("./values.ts")).listValues(session, kind))
    );
  addExamples(program, []);
  return program;
}
