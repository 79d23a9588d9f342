import type { Command } from "commander";
import type { ProgramHost } from "./host.ts";

/** `fleet`: the proxies of the group that the proxy belongs to. */
export function addFleet(program: Command, { run }: ProgramHost): void {
  const load = () => import("../fleet.ts");
  const fleet = program.command("fleet").description("the proxies of a group with one truth");
  fleet.command("list", { isDefault: true })
    .description("list who there is, which revision each has in effect, and how it is")
    .action(() => run(async (session) => (await load()).listFleet(session)));
  fleet.command("wait")
    .description("wait until the revision that this proxy has in effect is so at others")
    .argument("[who]", "all, quorum (more than half) or local", "all")
    .action((who: string) => run(async (session) => (await load()).waitForFleet(session, who)));
  fleet.command("forget")
    .description("expect nothing more of a proxy that is gone for good")
    .argument("<name>", "its name in `fleet list`")
    .action((name: string) => run(async (session) => (await load()).forgetMember(session, name)));
}
