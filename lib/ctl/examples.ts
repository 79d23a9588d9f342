import type { Command } from "commander";

/** Of each command, shown by its `--help`; a test runs the parser over them. */
export const EXAMPLES: Readonly<Record<string, string | readonly string[]>> = {
  "routes list": "mcproxyctl routes list :443",
  "routes add": [
    "mcproxyctl routes add :443 www.example.net 10.0.0.7:443 --send-proxy-protocol",
    "mcproxyctl routes add :443 api.example.net 10.0.0.7:80 --mode l7 --tls-cert api.pem " +
    "--tls-key api.key --paths prefix=/v2,backend=10.0.0.8:80",
  ],
  "routes update": "mcproxyctl routes update :443 www.example.net --backend 10.0.0.8:443",
  "routes maintenance": "mcproxyctl routes maintenance www.example.net on",
  "routes remove": "mcproxyctl routes remove :443 www.example.net --close",
  "backends list": "mcproxyctl backends list www.example.net",
  "backends add": "mcproxyctl backends add www.example.net 10.0.0.8:443 --weight 2",
  "backends remove": "mcproxyctl backends remove www.example.net 10.0.0.7:443 --deadline 10m",
  "backends up": "mcproxyctl backends up www.example.net 10.0.0.7:443",
  "backends drain": "mcproxyctl backends drain www.example.net 10.0.0.7:443 --deadline 10m",
  "backends down": "mcproxyctl backends down www.example.net 10.0.0.7:443",
  "listeners list": "mcproxyctl listeners list",
  "listeners add": "mcproxyctl listeners add :8443 --proxy-protocol --trusted-proxy 10.0.0.2",
  "listeners update": "mcproxyctl listeners update :8443 --max-connections 500",
  "listeners remove": "mcproxyctl listeners remove :8443 --drain 30s",
  "firewall list": "mcproxyctl firewall list",
  "firewall add": 'mcproxyctl firewall add cidr 198.51.100.0/24 --ttl 12h --reason "scans"',
  "firewall allow": "mcproxyctl firewall allow ip 192.0.2.7 --reason monitoring",
  "firewall remove": "mcproxyctl firewall remove ip 192.0.2.1",
  "firewall rate-limit": "mcproxyctl firewall rate-limit 50 10s",
  "firewall reload-geoip": "mcproxyctl firewall reload-geoip",
  "policies list": "mcproxyctl policies list :443 www.example.net",
  "policies add": "mcproxyctl policies add :443 www.example.net block_user_agent curl",
  "policies remove": "mcproxyctl policies remove :443 www.example.net block_user_agent curl",
  "status": "mcproxyctl status --json",
  "top": "mcproxyctl top --interval 2s",
  "clients": "mcproxyctl clients --by refused --last 1m",
  "connections list": "mcproxyctl connections list --client 192.0.2.0/24",
  "connections close": "mcproxyctl connections close 4f2a9c0-1b",
  "explain": "mcproxyctl explain 198.51.100.7 :443 www.example.net",
  "history": "mcproxyctl history --client 198.51.100.7 --outcome refused --since 24h",
  "fleet list": "mcproxyctl fleet list",
  "fleet wait": "mcproxyctl fleet wait quorum --timeout 20s",
  "fleet status": "mcproxyctl fleet status --json",
  "fleet drain": "mcproxyctl fleet drain p2 --within 5m",
  "fleet undrain": "mcproxyctl fleet undrain p2",
  "fleet forget": "mcproxyctl fleet forget p3",
  "audit": "mcproxyctl audit --limit 20",
  "health": "mcproxyctl health",
  "certificates list": "mcproxyctl certificates list",
  "certificates renew": "mcproxyctl certificates renew www.example.net",
  "certificates revoke": "mcproxyctl certificates revoke www.example.net",
  "certificates rollover-key": "mcproxyctl certificates rollover-key",
  "apply": "mcproxyctl apply -f mc-proxy.toml --diff --replay 24h",
  "reload": "mcproxyctl reload --diff",
  "export": "mcproxyctl export >state.toml",
  "snapshot": "mcproxyctl snapshot /srv/mc-proxy/before.db",
  "write-back": "mcproxyctl write-back",
  "completions": "mcproxyctl completions bash >/etc/bash_completion.d/mcproxyctl",
};

/** Adds its example to the help of each command below. */
export function addExamples(command: Command, path: readonly string[]): void {
  for (const sub of command.commands) {
    const words = [...path, sub.name()];
    const examples = [EXAMPLES[words.join(" ")] ?? []].flat();
    const title = examples.length > 1 ? "Examples" : "Example";
    if (examples.length > 0) {
      sub.addHelpText("after", `\n${title}:\n  ${examples.join("\n  ")}`);
    }
    addExamples(sub, words);
  }
}
