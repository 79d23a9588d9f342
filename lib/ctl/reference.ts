import { renderCommands } from "../terminal/mod.ts";
import { createProgram } from "./program.ts";

const INTRODUCTION = `# mcproxyctl

<!-- Written by \`deno task reference\` from lib/ctl; a test compares. -->

Administers a running mc-proxy through its socket, \`grpc.addr\` of the configuration. Everything that
it does is one call of the API in \`proto/mc_proxy/v1/admin.proto\`, whose comments are the reference
for limits and errors.

    mcproxyctl routes add :443 www.example.net 10.0.0.7:443
    mcproxyctl firewall add cidr 198.51.100.0/24 --ttl 12h --reason "scans"
    mcproxyctl explain 198.51.100.7 :443 www.example.net
    mcproxyctl export >state.toml
    mcproxyctl apply -f - --diff <state.toml

A change is stored and in effect in every worker when the command succeeds, and did not happen when
it fails. Live connections go on, unless \`--close\` is given; the answer says how many there are.

## Permissions

The program may open the socket and nothing else:

    deno run --ignore-env --allow-net=unix:PATH --allow-read=PATH --allow-write=PATH \\
      lib/cli/mcproxyctl.ts --socket PATH ...

Deno checks a Unix socket as all three; PATH is absolute. Files are read from the standard input:
\`apply -f - <FILE\`. With \`--allow-read=FILE\` the name works too.

## Exit codes

| Code | Meaning                                                                 |
| ---- | ----------------------------------------------------------------------- |
| 0    | done                                                                    |
| 1    | the proxy refused, or \`status\` or \`health\` found that it is not healthy |
| 2    | called wrongly                                                          |
| 3    | nobody answers on the socket, or not in time                            |

## State files

\`export\` prints listeners with their routes and policies, the firewall's rules and the rate limit,
with the names of the configuration file. \`apply\` makes the state equal to such a file in one step:
what is not in it is removed. A part that the file does not have, \`[[listeners]]\`,
\`[[firewall.rules]]\` or \`firewall.rate_limit\`, stays as it is. Between showing the difference and
making it nobody else can change the state: \`apply\` then fails and changes nothing.

## Completions

    mcproxyctl completions bash >/etc/bash_completion.d/mcproxyctl
    mcproxyctl completions zsh >"\${fpath[1]}/_mcproxyctl"
    mcproxyctl completions fish >~/.config/fish/completions/mcproxyctl.fish
`;

/** `docs/mcproxyctl.md`, made from the commands themselves. */
export function renderCtlReference(): string {
  const host = { run: () => Promise.resolve(), version: "" };
  return renderCommands(createProgram(host), INTRODUCTION);
}
