import type { Command } from "commander";
import { BACKEND, BACKEND_STATES } from "../../state/mod.ts";
import { addFieldFlags, duration, type FlagValues } from "../../terminal/mod.ts";
import { HOSTNAME } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

const BACKEND_COMMANDS = {
  up: "use a backend again",
  drain: "give a backend no new connections; those that are open go on",
  down: "take a backend down: no new connections, and those that are open are cut",
} as const;

const LISTENER_FLAG = ["--listener <addr>", "where the hostname is on several"] as const;
const PATH_FLAG = [
  "--path <path>",
  'of one of its paths, such as /api, or "exact /api" where there is "prefix /api" too',
] as const;
const BACKEND_ADDR = "address of the backend, such as 10.0.0.7:443";

/** `backends`: those of a route, one by one. */
export function addBackends(program: Command, { run }: ProgramHost): void {
  const load = () => import("../backends.ts");
  const backends = program.command("backends").description("the backends of a route, one by one");
  const change = (name: string, description: string) =>
    backends.command(name).description(description)
      .argument("<hostname>", HOSTNAME)
      .argument("<addr>", BACKEND_ADDR)
      .option(...LISTENER_FLAG)
      .option(...PATH_FLAG);
  const deadline = [
    "--deadline <duration>",
    "cut what is still open after this time",
    duration,
  ] as const;
  backends.command("list", { isDefault: true })
    .description("how backends are, and why; without a hostname: of routes with several")
    .argument("[hostname]", HOSTNAME)
    .option(...LISTENER_FLAG)
    .option(...PATH_FLAG)
    .action((hostname: string | undefined, flags) =>
      run(async (session) => (await load()).listBackends(session, hostname, flags))
    );
  addFieldFlags(change("add", "add a backend to a route"), BACKEND.shape)
    .action((hostname: string, addr: string, flags: FlagValues) =>
      run(async (session) => (await load()).addBackend(session, { hostname, addr }, flags))
    );
  change("remove", "take a backend out of a route; connections that are open go on")
    .option(...deadline)
    .action((hostname: string, addr: string, flags) =>
      run(async (session) => (await load()).removeBackend(session, { hostname, addr }, flags))
    );
  for (const state of BACKEND_STATES) {
    const command = change(state, BACKEND_COMMANDS[state]);
    if (state === "drain") command.option(...deadline);
    command.action((hostname: string, addr: string, flags) =>
      run(async (session) =>
        (await load()).setBackendState(session, { hostname, addr, state }, flags)
      )
    );
  }
}
