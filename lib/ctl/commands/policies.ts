import type { Command } from "commander";
import { ADDR, HOSTNAME } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

/** `policies`: conditions on requests of l7 routes. */
export function addPolicies(program: Command, { run }: ProgramHost): void {
  const policies = program.command("policies").description("conditions on requests of l7 routes");
  policies.command("list")
    .description("list the policies of a route")
    .argument("<listener>", ADDR)
    .argument("<hostname>", HOSTNAME)
    .action((listener: string, hostname: string) =>
      run(async (session) => {
        await (await import("../policies.ts")).listPolicies(session, { listener, hostname });
      })
    );
  for (const verb of ["add", "remove"] as const) {
    policies.command(verb)
      .description(`${verb} a policy`)
      .argument("<listener>", ADDR)
      .argument("<hostname>", HOSTNAME)
      .argument("<type>", "block_user_agent or require_header")
      .argument("<value>", "text in the User-Agent, or the name of a header")
      .action((listener: string, hostname: string, type: string, value: string) =>
        run(async (session) => {
          const { addPolicy, removePolicy } = await import("../policies.ts");
          const change = verb === "add" ? addPolicy : removePolicy;
          await change(session, { listener, hostname, type, value });
        })
      );
  }
}
