import { type Command, Option } from "commander";
import { RULE } from "../../state/mod.ts";
import {
  addFieldFlags,
  bigint,
  duration,
  type FlagValues,
  parseInteger,
} from "../../terminal/mod.ts";
import type { RuleFlags } from "../firewall.ts";
import type { ProgramHost } from "./host.ts";

const RULE_COMMANDS = {
  add: "block an address, a block of addresses or a country",
  allow: "exempt an address, a block of addresses or a country from rules that block",
} as const;

/** `firewall`: who is refused before anything is read. */
export function addFirewall(program: Command, { run }: ProgramHost): void {
  const firewall = program.command("firewall").description(
    "who is refused before anything is read",
  );
  firewall.command("list")
    .description("list rules with their hits, and the rate limit")
    .action(() => run(async (session) => (await import("../firewall.ts")).listRules(session)));
  for (const action of ["add", "allow"] as const) {
    addFieldFlags(
      firewall.command(action)
        .description(RULE_COMMANDS[action])
        .argument("<type>", "ip, cidr or country")
        .argument("<value>", "such as 192.0.2.1, 192.0.2.0/24 or NL"),
      RULE.shape,
      action === "add" ? {} : { except: ["action"] },
    )
      .option("--ttl <duration>", "the rule ends on its own after this time", duration)
      .option("--close", "close live connections of those it blocks; without this they go on")
      .option("--yes", "also if the rule covers everybody, or you")
      .option("--dry-run", "change nothing; say which clients of the past it would be about")
      .option(
        "--replay <duration>",
        "with --dry-run: the clients of so long (default: 24h)",
        duration,
      )
      .action((type: string, value: string, flags: FlagValues & RuleFlags) =>
        run(async (session) => {
          const { addRule } = await import("../firewall.ts");
          await addRule(
            session,
            { type, value },
            action === "allow" ? { ...flags, action } : flags,
          );
        })
      );
  }
  firewall.command("remove")
    .description("remove a rule")
    .argument("[type]", "ip, cidr or country")
    .argument("[value]", "such as 192.0.2.1")
    .addOption(
      new Option(
        "--action <action>",
        "of two about the same: which one",
      )
        .choices(["block", "allow"]),
    )
    .option("--id <n>", "the rule's id, instead of type and value", bigint)
    .action((
      type: string | undefined,
      value: string | undefined,
      flags: { id?: bigint; action?: string },
    ) =>
      run(async (session) => {
        const { removeRule } = await import("../firewall.ts");
        await removeRule(session, { type, value }, flags);
      })
    );
  firewall.command("rate-limit")
    .description("limit new connections per source address, over restarts")
    .argument("<limit>", "connections in each window; 0: off", parseInteger)
    .argument("[window]", "such as 10s", duration)
    .action((limit: number, window: number | undefined) =>
      run(async (session) => (await import("../firewall.ts")).setRateLimit(session, limit, window))
    );
  firewall.command("reload-geoip")
    .description("read the GeoIP database's file again")
    .action(() => run(async (session) => (await import("../firewall.ts")).reloadGeoIp(session)));
}
