import type { Command } from "commander";

/** Of each command, shown by its `--help`; a test runs the parser over them. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  "zones list": "mcnsctl zones list",
  "zones add": "mcnsctl zones add example.net ns1 ns2.example.org. --ttl 300",
  "zones remove": "mcnsctl zones remove example.net",
  "zones refresh": "mcnsctl zones refresh example.net --whole",
  "import": "mcnsctl import example.net <example.net.zone",
  "export": "mcnsctl export example.net >example.net.zone",
  "records list": "mcnsctl records list example.net --type A",
  "records add": "mcnsctl records add example.net www A 203.0.113.7 --ttl 300",
  "records replace": "mcnsctl records replace example.net 12 www A 203.0.113.8",
  "records remove": "mcnsctl records remove example.net 12",
  "records set": 'mcnsctl records set example.net @ MX "10 mail" "20 mail.example.org."',
  "records unset": "mcnsctl records unset example.net @ MX",
  "explain": "mcnsctl explain www.example.net A 198.51.100.7",
  "status": "mcnsctl status --json",
  "top": "mcnsctl top --interval 2s",
  "reload": "mcnsctl reload",
  "audit": "mcnsctl audit --limit 20",
  "write-back": "mcnsctl write-back",
  "tokens list": "mcnsctl tokens list",
  "tokens add": "mcnsctl tokens add ci write:example.net --ttl 24h",
  "tokens remove": "mcnsctl tokens remove ci",
  "changes list": "mcnsctl changes list",
  "changes abort": "mcnsctl changes abort 3f0e9a52-7c1d-4e55-9d0b-5b1f3c1d2a77",
  "completions": "mcnsctl completions bash >/etc/bash_completion.d/mcnsctl",
};

/** Adds its example to the help of each command below. */
export function addExamples(command: Command, path: readonly string[]): void {
  for (const sub of command.commands) {
    const words = [...path, sub.name()];
    const example = EXAMPLES[words.join(" ")];
    if (example !== undefined) sub.addHelpText("after", `\nExample:\n  ${example}`);
    addExamples(sub, words);
  }
}
