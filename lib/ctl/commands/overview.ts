import { type Command, Option } from "commander";
import { duration, parseInteger } from "../../terminal/mod.ts";
import type { ProgramHost } from "./host.ts";

/** `status`, `top` and `clients`: the proxy at a glance. */
export function addOverview(program: Command, { run }: ProgramHost): void {
  program.command("status")
    .description("how the proxy is doing; fails when it is not healthy")
    .option("--fleet", "all proxies of its group instead, as `fleet status`")
    .action(({ fleet }: { fleet?: boolean }) =>
      run(async (session) =>
        fleet
          ? (await import("../fleet.ts")).showFleetStatus(session)
          : (await import("../observe.ts")).showStatus(session)
      )
    );
  program.command("top")
    .description("a live view of the proxy; q or Ctrl-C ends it")
    .option("--interval <duration>", "time between two looks", duration, 1000)
    .action((flags: { interval: number }) =>
      run(async (session) => (await import("../top.ts")).showTop(session, flags))
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
      run(async (session) => (await import("../clients.ts")).listHeaviest(session, flags))
    );
}
