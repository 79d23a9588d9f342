import type { Command } from "commander";
import { addRequiredOption, duration } from "../../terminal/mod.ts";
import type { ProgramHost } from "./host.ts";

/** Commands about the state as a whole: its file, its export, its database. */
export function addState(program: Command, { run }: ProgramHost): void {
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
      run(async (session) => (await import("../state.ts")).applyFile(session, flags))
    );
  program.command("reload")
    .description(
      "read files again: certificates, GeoIP, and the configuration where state.source is file",
    )
    .option("--diff", "show what the configuration would change, and change nothing")
    .option("--close", "close connections of routes that change; without this they go on")
    .action((flags) =>
      run(async (session) => (await import("../state.ts")).reload(session, flags))
    );
  program.command("export")
    .description("print the state, as `apply` takes it")
    .action(() => run(async (session) => (await import("../state.ts")).exportState(session)));
  program.command("snapshot")
    .description("copy the database while it is in use")
    .argument("<path>", "where to, on the proxy's machine, in a folder it may write to")
    .option("--overwrite", "replace a file that exists")
    .action((path: string, flags: { overwrite?: boolean }) =>
      run(async (session) => (await import("../observe.ts")).writeSnapshot(session, path, flags))
    );
  program.command("write-back")
    .description("write the database back to its path, after it was removed or replaced")
    .action(() => run(async (session) => (await import("../state.ts")).writeBack(session)));
}
