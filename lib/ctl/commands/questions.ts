import type { Command } from "commander";
import { duration, parseInteger } from "../../terminal/mod.ts";
import { ADDR, DEFAULT_LIMIT } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

/** `explain`, `history`, `audit` and `health`: what would be, what was, and what is wrong. */
export function addQuestions(program: Command, { run }: ProgramHost): void {
  const load = () => import("../observe.ts");
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
      run(async (session) => (await import("../history.ts")).showHistory(session, flags))
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
