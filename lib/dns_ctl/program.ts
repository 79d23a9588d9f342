import { Command, Option } from "commander";
import {
  addCompletions,
  bigint,
  duration,
  type LiveValues,
  parseInteger,
  type TaskIn,
} from "../terminal/mod.ts";
import { addExamples } from "./examples.ts";
import type { Session } from "./session.ts";

/** Where an installation has its socket. */
const DEFAULT_SOCKET = "/srv/mcns/mcns.sock";
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_LIMIT = 100;
const TOP_INTERVAL_MS = 1000;

/** What a command does in a session; an exit code, or nothing for success. */
export type Task = TaskIn<Session>;

/** What the commands do with their tasks, and what needs no server. */
export interface ProgramHost {
  run(task: Task): Promise<void>;
  readonly version: string;
}

/** Arguments and values of options, and what a running server knows of them. */
const LIVE_VALUES: LiveValues = { zone: "zones" };

/** The commands and their flags; what they do is loaded when they run. */
export function createProgram(host: ProgramHost): Command {
  const program = new Command("mcnsctl")
    .description("Administers a running MCNS through its socket, or over the network.")
    .version(host.version)
    .option("-s, --socket <path>", "socket of the server", DEFAULT_SOCKET)
    .option("--server <addr>", "host:port of gRPC instead (`server.grpc_addr`)")
    .option("--ca <file>", "authorities of that server's certificate, PEM")
    .option("--token-file <file>", "holds the token to show it")
    .option("--json", "print the answer as JSON, for machines")
    .option("--as <name>", "who asks, for the audit log; over the socket alone")
    .option("--if-version <version>", "refuse a change unless the zone is at this version")
    .addOption(
      new Option("--timeout <duration>", "how long to wait for an answer")
        .argParser(duration).default(DEFAULT_TIMEOUT_MS, "30s"),
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError("(mcnsctl --help shows the usage)");
  addZones(program, host);
  addRecords(program, host);
  addQuestions(program, host);
  addChanges(program, host);
  addTokens(program, host);
  addCompletions(program, LIVE_VALUES);
  // For completion scripts.
  program.command("values", { hidden: true })
    .argument("<kind>", "zones")
    .action((kind: string) =>
      host.run(async (session) => (await import("./questions.ts")).listValues(session, kind))
    );
  addExamples(program, []);
  return program;
}

const ZONE = "name of a zone, such as example.net";
const NAME = "relative to the zone unless it ends in a dot; @ is the zone itself";
const TYPE = "such as A or TXT";
const TTL = ["--ttl <seconds>", "how long it may be kept", parseInteger] as const;

function addZones(program: Command, { run }: ProgramHost): void {
  const load = () => import("./zones.ts");
  const zones = program.command("zones").description("what the server is the authority for");
  zones.command("list")
    .description("list the zones")
    .action(() => run(async (session) => (await load()).listZones(session)));
  zones.command("add")
    .description("make a zone of an SOA record and its name servers")
    .argument("<zone>", ZONE)
    .argument("<servers...>", "names of its name servers, relative unless they end in a dot")
    .option("--mailbox <name>", "whom to write to, as a name; default: hostmaster of the zone")
    .option(...TTL)
    .action((zone: string, servers: string[], flags) =>
      run(async (session) => (await load()).addZone(session, zone, servers, flags))
    );
  zones.command("remove")
    .description("remove a zone with everything in it")
    .argument("<zone>", ZONE)
    .action((zone: string) => run(async (session) => (await load()).removeZone(session, zone)));
  zones.command("refresh")
    .description("ask the primaries of a secondary zone for it now")
    .argument("<zone>", ZONE)
    .option("--whole", "as a whole, whatever serial it has", false)
    .action((zone: string, flags: { whole: boolean }) =>
      run(async (session) => (await load()).refreshZone(session, zone, flags))
    );
  program.command("import")
    .description("make a zone what a zone file says; one that is not there is made")
    .argument("<zone>", ZONE)
    .argument("[file]", "the zone file; -: the standard input", "-")
    .action((zone: string, file: string) =>
      run(async (session) => (await load()).importZone(session, zone, file))
    );
  program.command("export")
    .description("print a zone file that says a zone")
    .argument("<zone>", ZONE)
    .action((zone: string) => run(async (session) => (await load()).exportZone(session, zone)));
}

function addRecords(program: Command, { run }: ProgramHost): void {
  const load = () => import("./records.ts");
  const records = program.command("records").description("the records of a zone");
  const named = (command: Command) =>
    command.argument("<zone>", ZONE).argument("<name>", NAME).argument("<type>", TYPE);
  records.command("list")
    .description("list the records of a zone")
    .argument("<zone>", ZONE)
    .option("--name <name>", "only those of this name")
    .option("--type <type>", "only those of this type")
    .action((zone: string, flags) =>
      run(async (session) => (await load()).listRecords(session, zone, flags))
    );
  named(records.command("add").description("add a record; those that are there stay"))
    .argument("<value>", "as a zone file has it")
    .option(...TTL)
    .action((zone: string, name: string, type: string, value: string, flags) =>
      run(async (session) => (await load()).addRecord(session, { zone, name, type, value }, flags))
    );
  records.command("replace")
    .description("replace a record, which keeps its id")
    .argument("<zone>", ZONE)
    .argument("<id>", "its id, which `records list` shows", bigint)
    .argument("<name>", NAME)
    .argument("<type>", TYPE)
    .argument("<value>", "as a zone file has it")
    .option(...TTL)
    .action((zone: string, id: bigint, name: string, type: string, value: string, flags) =>
      run(async (session) =>
        (await load()).replaceRecord(session, id, { zone, name, type, value }, flags)
      )
    );
  records.command("remove")
    .description("remove a record")
    .argument("<zone>", ZONE)
    .argument("<id>", "its id, which `records list` shows", bigint)
    .action((zone: string, id: bigint) =>
      run(async (session) => (await load()).removeRecord(session, zone, id))
    );
  named(records.command("set").description("make the records of a name and type these"))
    .argument("<values...>", "each as a zone file has it")
    .option(...TTL)
    .action((zone: string, name: string, type: string, values: string[], flags) =>
      run(async (session) =>
        (await load()).replaceSet(session, { zone, name, type }, values, flags)
      )
    );
  named(records.command("unset").description("remove the records of a name and type"))
    .action((zone: string, name: string, type: string) =>
      run(async (session) => (await load()).removeSet(session, { zone, name, type }))
    );
}

function addQuestions(program: Command, { run }: ProgramHost): void {
  const load = () => import("./questions.ts");
  program.command("explain")
    .description("what a question would be answered from the zones, and why")
    .argument("<name>", "a name in full")
    .argument("<type>", TYPE)
    .argument("[from]", "the address of who would ask", "")
    .action((name: string, type: string, from: string) =>
      run(async (session) => (await load()).explain(session, { name, type, from }))
    );
  program.command("status")
    .description("how the server is; fails when it is not healthy")
    .action(() => run(async (session) => (await load()).showStatus(session)));
  program.command("top")
    .description("watch the server: questions, answers and their codes, addresses")
    .option("--interval <duration>", "between two looks", duration, TOP_INTERVAL_MS)
    .action((flags) => run(async (session) => (await import("./top.ts")).showTop(session, flags)));
  program.command("reload")
    .description("have the server read its configuration and what that names again")
    .action(() => run(async (session) => (await load()).reloadServer(session)));
  program.command("audit")
    .description("what was changed, the latest first")
    .option("--limit <n>", "at most so many, up to 1000", parseInteger, DEFAULT_LIMIT)
    .option("--before <id>", "only those with a smaller id", bigint)
    .action((flags) => run(async (session) => (await load()).showAudit(session, flags)));
  program.command("write-back")
    .description("write a database whose file was removed or replaced back to its place")
    .action(() => run(async (session) => (await load()).writeBack(session)));
}

function addChanges(program: Command, { run }: ProgramHost): void {
  const load = () => import("./changes.ts");
  const changes = program.command("changes").description(
    "changes that wait for the decision of another program",
  );
  changes.command("list")
    .description("list them, the oldest first")
    .action(() => run(async (session) => (await load()).listChanges(session)));
  changes.command("abort")
    .description("give one up by hand, which frees its zones; if it is decided, it is made anew")
    .argument("<id>", "its id, which `changes list` shows")
    .action((id: string) => run(async (session) => (await load()).abortChange(session, id)));
}

function addTokens(program: Command, { run }: ProgramHost): void {
  const load = () => import("./questions.ts");
  const tokens = program.command("tokens").description(
    "who may manage the server over the network",
  );
  tokens.command("list")
    .description("list the tokens of the database, without what they are")
    .action(() => run(async (session) => (await load()).listTokens(session)));
  tokens.command("add")
    .description("make a token, which is printed this once")
    .argument("<name>", "what to call it")
    .argument("<scopes...>", "admin, read:ZONE or write:ZONE; * is every zone")
    .option("--ttl <duration>", "it ends after this time", duration)
    .action((name: string, scopes: string[], flags) =>
      run(async (session) => (await load()).addToken(session, name, scopes, flags))
    );
  tokens.command("remove")
    .description("remove a token")
    .argument("<name>", "what it is called")
    .action((name: string) => run(async (session) => (await load()).removeToken(session, name)));
}
