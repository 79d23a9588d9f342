import type { Command } from "commander";
import { duration } from "../../terminal/mod.ts";
import type { ProgramHost } from "./host.ts";

const NAME = "its name in `fleet list`";

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
  fleet.command("status")
    .description("what all proxies do: connections, backends, bans, and the sums of it")
    .action(() => run(async (session) => (await load()).showFleetStatus(session)));
  fleet.command("drain")
    .description("have a proxy take no new connections; those that it has go on")
    .argument("<name>", NAME)
    .option("--within <duration>", "wait so long for its last connection to end", duration)
    .action((name: string, flags: { within?: number }) =>
      run(async (session) => (await load()).drainMember(session, name, flags))
    );
  fleet.command("undrain")
    .description("have a proxy take new connections again")
    .argument("<name>", NAME)
    .action((name: string) => run(async (session) => (await load()).undrainMember(session, name)));
  fleet.command("forget")
    .description("expect nothing more of a proxy that is gone for good")
    .argument("<name>", NAME)
    .action((name: string) => run(async (session) => (await load()).forgetMember(session, name)));
}
