import { renderReference } from "../settings/mod.ts";
import { SETTINGS } from "./settings.ts";

const INTRODUCTION = `# Configuration of MCNS

\`mcns\` reads one TOML file: \`mcns server --config mcns.toml\`. \`mcns check --config mcns.toml\` says
what is wrong with a file, all of it at once, and changes nothing. Unknown keys are errors. Zones
are not in it: they are in the database, and are changed while the server runs.

- A duration is a string of a whole number and one unit: \`"300ms"\`, \`"5s"\`, \`"2m"\`, \`"1h"\`, \`"7d"\`.
- A size is one, too: \`"512B"\`, \`"64KiB"\`, \`"1MiB"\`.
- A relative path starts in the directory where the program was started.

\`deno task reference\` writes this page from the table of settings that the program itself uses.
`;

const EXAMPLE = `## Example

\`\`\`toml
[server]
listen_addr = ":8444"
grpc_addr = ":9444"
tls_cert = "/srv/mcns/certs/mcns.pem"
tls_key = "/srv/mcns/certs/mcns.key"

[database]
path = "/srv/mcns/mcns.db"

[dns]
listen_addr = ":53"
upstreams = ["1.1.1.1:53", "8.8.8.8:53"]

  [[dns.forward]]
  zone = "corp.example"
  upstreams = ["10.0.0.53"]

  [[dns.secondary]]
  zone = "svc.mcp.metacircular.net"
  primaries = ["100.64.0.10"]

[mcias]
server_url = "https://127.0.0.1:8443"
ca_cert = ""
service_name = "mcns"
tags = []

[log]
level = "info"
\`\`\`
`;

/** The reference of all settings, `docs/mcns.md`, in Markdown. */
export function renderMcnsReference(): string {
  return renderReference(SETTINGS.shape, [INTRODUCTION, EXAMPLE]);
}
