import { renderReference } from "../settings/mod.ts";
import { SETTINGS } from "./settings.ts";

const INTRODUCTION = `# Configuration

mc-proxy reads one TOML file: \`mc-proxy server -c mc-proxy.toml\`. \`mc-proxy check -c mc-proxy.toml\`
says what is wrong with a file, all of it at once, and changes nothing. Unknown keys are errors.

- A duration is a string of a whole number and one unit: \`"300ms"\`, \`"5s"\`, \`"2m"\`, \`"1h"\`, \`"7d"\`,
  \`"4w"\`.
- A relative path starts in the directory where the program was started.
- Names, addresses and blocks may be written in any of their forms; they are compared in one.

\`deno task reference\` writes this page from the table of settings that the program itself uses.
`;

const EXAMPLE = `## Example

\`\`\`toml
[database]
path = "/srv/mc-proxy/mc-proxy.db"

[[listeners]]
addr = ":443"

  [[listeners.routes]]
  hostname = "mail.example.net"
  backend = "10.0.0.5:443"

  [[listeners.routes]]
  hostname = "*.apps.example.net"
  backend = "10.0.0.6:8080"
  mode = "l7"
  tls_cert = "/srv/mc-proxy/certs/apps.pem"
  tls_key = "/srv/mc-proxy/certs/apps.key"

[grpc]
addr = "/srv/mc-proxy/mc-proxy.sock"

[firewall]
blocked_cidrs = ["192.0.2.0/24"]
rate_limit = 20
rate_window = "10s"
\`\`\`
`;

/** The reference of all settings, `docs/config.md`, in Markdown. */
export function renderConfigReference(): string {
  return renderReference(SETTINGS.shape, [INTRODUCTION, EXAMPLE]);
}
