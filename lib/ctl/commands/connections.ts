import type { Command } from "commander";
import { parseInteger } from "../../terminal/mod.ts";
import { DEFAULT_LIMIT } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

/** `connections`: those that are open. */
export function addConnections(program: Command, { run }: ProgramHost): void {
  const load = () => import("../observe.ts");
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
}
