import { renderCommands } from "../terminal/mod.ts";
import { createProgram } from "./program.ts";

const INTRODUCTION = `# mcnsctl

<!-- Written by \`deno task reference\` from lib/dns_ctl; a test compares. -->

Administers a running MCNS. Everything that it does is one call of the API in
\`proto/mcns/v1/zones.proto\`, whose comments are the reference for limits and errors.

    mcnsctl import example.net <example.net.zone
    mcnsctl records add example.net www A 203.0.113.7 --ttl 300
    mcnsctl explain www.example.net A 198.51.100.7

A change is stored and in effect in every worker when the command succeeds, and did not happen when
it fails.

On the machine of the server it speaks through a socket that only the server's user may open, and
may do everything. From elsewhere it speaks TLS, and what it may do depends on its token:

    mcnsctl --server ns.example.net:9444 --ca ca.pem --token-file token zones list

## Permissions

Through the socket the program may open it and nothing else:

    deno run --ignore-env --allow-net=unix:PATH --allow-read=PATH --allow-write=PATH \\
      lib/cli/mcnsctl.ts --socket PATH ...

Deno checks a Unix socket as all three; PATH is absolute. A zone file is read from the standard
input. Over the network it is \`--allow-net=HOST:PORT\`, and \`--allow-read\` of the files of \`--ca\` and
\`--token-file\`.

## Exit codes

| Code | Meaning                                                      |
| ---- | ------------------------------------------------------------ |
| 0    | done                                                         |
| 1    | the server refused, or \`status\` found that it is not healthy |
| 2    | called wrongly                                               |
| 3    | nobody answers, or not in time                               |

## Completions

    mcnsctl completions bash >/etc/bash_completion.d/mcnsctl
    mcnsctl completions zsh >"\${fpath[1]}/_mcnsctl"
    mcnsctl completions fish >~/.config/fish/completions/mcnsctl.fish
`;

/** `docs/mcnsctl.md`, made from the commands themselves. */
export function renderMcnsctlReference(): string {
  const host = { run: () => Promise.resolve(), version: "" };
  return renderCommands(createProgram(host), INTRODUCTION);
}
