import type { Command } from "commander";
import { LISTENER } from "../../state/mod.ts";
import { addFieldFlags, duration, type FlagValues } from "../../terminal/mod.ts";
import { ADDR } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

/** `listeners`: where connections are accepted. */
export function addListeners(program: Command, { run }: ProgramHost): void {
  const listeners = program.command("listeners").description("where connections are accepted");
  listeners.command("list")
    .description("list listeners with their connections")
    .action(() => run(async (session) => (await import("../listeners.ts")).listListeners(session)));
  addFieldFlags(
    listeners.command("add")
      .description("accept connections at an address")
      .argument("<addr>", "such as :443, 192.0.2.1:443 or [2001:db8::1]:443"),
    LISTENER.shape,
  )
    .action((addr: string, flags: FlagValues) =>
      run(async (session) => (await import("../listeners.ts")).addListener(session, addr, flags))
    );
  addFieldFlags(
    listeners.command("update")
      .description("change what the flags say and keep the rest, for new connections")
      .argument("<addr>", ADDR),
    LISTENER.shape,
    { off: true },
  )
    .action((addr: string, flags: FlagValues) =>
      run(async (session) => (await import("../listeners.ts")).updateListener(session, addr, flags))
    );
  listeners.command("remove")
    .description("stop accepting connections at an address, and remove its routes")
    .argument("<addr>", ADDR)
    .option("--close", "close its connections; without this they go on")
    .option("--drain <duration>", "close its connections after this time", duration)
    .action((addr: string, flags: { close?: boolean; drain?: number }) =>
      run(async (session) => (await import("../listeners.ts")).removeListener(session, addr, flags))
    );
}
