import { Command } from "commander";
import { KEY_ROLES } from "../dnssec/mod.ts";
import { addCompletions, addRequiredOption, EXIT } from "../terminal/mod.ts";
import { CommandError } from "./command_error.ts";
import { print, runCommandLine } from "./command_line.ts";
import { runMcnsImport } from "./mcns_import.ts";
import { checkMcnsFile } from "./mcns_load.ts";
import { addZoneKey, removeZoneKey, setZoneKeyRole, showZoneKeys } from "./mcns_keys.ts";
import { runMcnsRestore } from "./mcns_restore.ts";
import { runMcnsServer } from "./mcns_server.ts";
import { runMcnsSnapshot } from "./mcns_snapshot.ts";
import { describeProblems } from "./load.ts";
import type { RestoreOptions } from "./restore.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import { VERSION } from "./version.ts";

/**
 * Runs the `mcns` command. Resolves with the exit code; every failure is one line on stderr (a
 * configuration's problems one line each), never a stack trace.
 *
 * @param args The arguments after the program's name.
 */
export async function runMcns(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command("mcns")
    .description("authoritative name server, its zones managed while it runs")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(mcns --help shows the usage)");
  addConfig(
    program.command("server")
      .description("serve until SIGTERM or SIGINT; SIGHUP reads the configuration again"),
  ).action(async ({ config }: { config: string }) => {
    exitCode = await runMcnsServer(config);
  });
  addConfig(
    program.command("check")
      .description("check a configuration and what it names; changes nothing"),
  )
    .option("--json", "print what was found as JSON, for machines")
    .action(({ config, json }: { config: string; json?: true }) => {
      if (!check(config, json === true)) exitCode = EXIT.failed;
    });
  addConfig(
    program.command("snapshot").description("copy the database, also while the server runs"),
  )
    .option("-o, --output <file>", "where to; default: beside the database, with the time")
    .option("--overwrite", "replace the file if it is there")
    .action(async ({ config, ...options }: SnapshotOptions & { config: string }) => {
      print(Deno.stdout, await runMcnsSnapshot(config, options));
    });
  addConfig(
    program.command("restore")
      .description("put a snapshot in the place of the database; no server may run"),
  )
    .option("--from <snapshot>", "the snapshot; the database that is there is moved aside")
    .option("--as-it-is", "take the database as it is, whatever was acknowledged")
    .action(async ({ config, ...options }: RestoreOptions & { config: string }) => {
      print(Deno.stdout, await runMcnsRestore(config, options));
    });
  addConfig(
    program.command("import")
      .description("make a zone what a zone file says, also while the server runs")
      .argument("<zone>", "name of the zone; one that is not there is made")
      .argument("<file>", "the zone file; -: the standard input"),
  ).action(async (zone: string, file: string, { config }: { config: string }) => {
    print(Deno.stdout, await runMcnsImport(config, { zone, file }));
  });
  addKeys(program.command("keys").description("keys of a zone, with which its answers are signed"));
  program.command("version").description("print the version").action(() => {
    print(Deno.stdout, VERSION);
  });
  addCompletions(program);
  return await runCommandLine(program, args) ?? exitCode;
}

function addKeys(keys: Command): void {
  const tell = async (what: Promise<string>) => print(Deno.stdout, await what);
  keys.command("new").description("make a key: the first one signs, one more is published")
    .argument("<file>", "where the keys are kept")
    .action((file: string) => tell(addZoneKey(file)));
  keys.command("show").description("print the keys, and the DS records for the parent zone")
    .argument("<file>", "where the keys are kept").argument("<zone>", "the zone's name")
    .action((file: string, zone: string) => tell(showZoneKeys(file, zone)));
  keys.command("role").description(`make a key one of ${KEY_ROLES.join(", ")}`)
    .argument("<file>", "where the keys are kept").argument("<tag>", "the key's number")
    .argument("<role>", "what it is for")
    .action((file: string, tag: string, role: string) => tell(setZoneKeyRole(file, tag, role)));
  keys.command("remove").description("forget a key that is retired")
    .argument("<file>", "where the keys are kept").argument("<tag>", "the key's number")
    .action((file: string, tag: string) => tell(removeZoneKey(file, tag)));
}

function addConfig(command: Command): Command {
  return addRequiredOption(command, "-c, --config <file>", "configuration (TOML)");
}

/** Whether a start with the file would succeed. */
function check(path: string, asJson: boolean): boolean {
  const { problems, warnings } = checkMcnsFile(path);
  const ok = problems.length === 0;
  if (asJson) {
    print(Deno.stdout, JSON.stringify({ file: path, ok, problems, warnings }, null, 2));
    return ok;
  }
  if (!ok) throw new CommandError(describeProblems(path, problems).join("\n"));
  for (const warning of describeProblems(path, warnings)) print(Deno.stderr, `warning: ${warning}`);
  print(Deno.stdout, `${path}: ok`);
  return ok;
}
