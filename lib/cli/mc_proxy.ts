import { Command } from "commander";
import { addCompletions, addRequiredOption, EXIT } from "../terminal/mod.ts";
import { CommandError } from "./command_error.ts";
import { print, runCommandLine } from "./command_line.ts";
import { addConnectorFlags, type ConnectorFlags } from "./connector_flags.ts";
import type { ConnectorImportOptions } from "./connector_import.ts";
import type { RestoreOptions } from "./restore.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import { VERSION } from "./version.ts";

/**
 * Runs the `mc-proxy` command. Resolves with the exit code; every failure is one line on stderr
 * (a configuration's problems one line each), never a stack trace. What a command does is loaded when it
 * runs: `status` and `--help` do without the server, which is most of the program.
 *
 * @param args The arguments after the program's name.
 */
export async function runMcProxy(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command("mc-proxy")
    .description("TLS proxy and router: one listener, many hostnames")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(mc-proxy --help shows the usage)");
  addConfigOption(
    program.command("server")
      .description(
        "serve until SIGTERM or SIGINT; SIGHUP reads certificates and the GeoIP database again, and " +
          "the configuration where state.source is file",
      ),
  )
    .option("--take-over", "share the ports with a running mc-proxy that is about to stop")
    .action(async ({ config, takeOver }: { config: string; takeOver?: true }) => {
      const { runServer } = await import("./server.ts");
      exitCode = await runServer(config, { takeOver: takeOver === true });
    });
  addConfigOption(
    program.command("check")
      .description("check a configuration and what it names; changes nothing"),
  )
    .option("--json", "print what was found as JSON, for machines")
    .action(async ({ config, json }: { config: string; json?: boolean }) => {
      const { checkFile, okWords } = await import("./check.ts");
      const { describeProblems } = await import("./load.ts");
      const { problems, warnings, state } = checkFile(config);
      const ok = problems.length === 0;
      if (!ok) exitCode = EXIT.failed;
      if (json) {
        print(
          Deno.stdout,
          JSON.stringify({ file: config, ok, problems, warnings, state }, null, 2),
        );
        return;
      }
      if (!ok) throw new CommandError(describeProblems(config, problems).join("\n"));
      for (const warning of describeProblems(config, warnings)) {
        print(Deno.stderr, `warning: ${warning}`);
      }
      if (state !== undefined) print(Deno.stdout, okWords(config, state));
    });
  addConfigOption(
    program.command("status")
      .description("ask the running server; fails when it is not healthy"),
  )
    .option("--json", "print the answer as JSON, for machines")
    .action(async ({ config, ...options }: { config: string; json?: boolean }) => {
      const { runStatus } = await import("./status.ts");
      exitCode = await runStatus(config, options);
    });
  addConfigOption(
    program.command("snapshot")
      .description("copy the database, also while the server runs"),
  )
    .option("-o, --output <file>", "where to; default: beside the database, with the time")
    .option("--overwrite", "replace the file if it is there")
    .action(async ({ config, ...options }: SnapshotOptions & { config: string }) => {
      const { runSnapshot } = await import("./snapshot.ts");
      print(Deno.stdout, await runSnapshot(config, options));
    });
  addConfigOption(
    program.command("restore")
      .description("put a snapshot in the database's place, while the server is stopped"),
  )
    .option("--from <snapshot>", "the snapshot; what was there before is moved aside")
    .option("--as-it-is", "take the database as it is, although it is not what was acknowledged")
    .action(async ({ config, ...options }: RestoreOptions & { config: string }) => {
      const { runRestore } = await import("./restore.ts");
      print(Deno.stdout, await runRestore(config, options));
    });
  const connector = program.command("connector")
    .description("serve the mTLS connector alone, until SIGTERM or SIGINT");
  addConnectorFlags(connector).action(async (flags: ConnectorFlags) => {
    const { runConnector } = await import("./connector.ts");
    exitCode = await runConnector(flags);
  });
  connector.command("import")
    .description("replace the connector's embedded database by a TOML or CSV file")
    .argument("<file>", "hosts, teams and users")
    .option("--db <database>", "sqlite:PATH")
    .option("-c, --config <file>", "configuration (TOML) whose [connector] names the database")
    .action(async (file: string, _options: unknown, command: Command) => {
      const { runConnectorImport } = await import("./connector_import.ts");
      print(
        Deno.stdout,
        runConnectorImport(file, command.optsWithGlobals<ConnectorImportOptions>()),
      );
    });
  program.command("hash-password")
    .description(
      "make what stands for a password in basic_auth; reads it from the terminal or stdin",
    )
    .action(async () => {
      const { runHashPassword } = await import("./hash_password.ts");
      print(Deno.stdout, await runHashPassword());
    });
  addCompletions(program);
  return await runCommandLine(program, args) ?? exitCode;
}

function addConfigOption(command: Command): Command {
  return addRequiredOption(command, "-c, --config <file>", "configuration (TOML)");
}
