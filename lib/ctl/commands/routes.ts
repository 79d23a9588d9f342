import type { Command } from "commander";
import { ROUTE } from "../../state/mod.ts";
import { addFieldFlags, type FlagValues } from "../../terminal/mod.ts";
import { ADDR, CLOSE, HOSTNAME } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

/** `routes`: where the connections for a name go. */
export function addRoutes(program: Command, { run }: ProgramHost): void {
  const routes = program.command("routes").description("where the connections for a name go");
  routes.command("list")
    .description("list routes")
    .argument("[listener]", "only of this listener")
    .action((listener?: string) =>
      run(async (session) => (await import("../routes.ts")).listRoutes(session, listener))
    );
  addFieldFlags(
    routes.command("add")
      .description("add a route; without flags it relays TLS as it is (l4)")
      .argument("<listener>", ADDR)
      .argument("<hostname>", HOSTNAME)
      .argument("[backend]", "host:port; not needed for --mode mtls"),
    ROUTE.shape,
    { except: ["backend"] },
  ).action((listener: string, hostname: string, backend: string | undefined, flags: FlagValues) =>
    run(async (session) => {
      const { addRoute } = await import("../routes.ts");
      await addRoute(session, { listener, hostname, backend }, flags);
    })
  );
  addFieldFlags(
    routes.command("update")
      .description("change what the flags say and keep the rest, in one step")
      .argument("<listener>", ADDR)
      .argument("<hostname>", HOSTNAME),
    ROUTE.shape,
    { off: true },
  )
    .option("--close", CLOSE)
    .action((listener: string, hostname: string, flags: FlagValues & { close?: boolean }) =>
      run(async (session) => {
        const { updateRoute } = await import("../routes.ts");
        await updateRoute(session, { listener, hostname }, flags);
      })
    );
  routes.command("maintenance")
    .description("have an l7 route answer 503 to every request, or ask its backend again")
    .argument("<hostname>", HOSTNAME)
    .addArgument(routes.createArgument("<state>", "on or off").choices(["on", "off"]))
    .option("--listener <listener>", "where several have a route of that hostname")
    .action((hostname: string, state: "on" | "off", { listener }: { listener?: string }) =>
      run(async (session) => {
        const { setMaintenance } = await import("../maintenance.ts");
        await setMaintenance(session, { hostname, state, listener });
      })
    );
  routes.command("remove")
    .description("remove a route")
    .argument("<listener>", ADDR)
    .argument("<hostname>", HOSTNAME)
    .option("--close", CLOSE)
    .action((listener: string, hostname: string, flags: { close?: boolean }) =>
      run(async (session) => {
        const { removeRoute } = await import("../routes.ts");
        await removeRoute(session, { listener, hostname }, flags);
      })
    );
}
