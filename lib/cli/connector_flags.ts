import type { Command } from "commander";

/** Settings of `[connector]` that are flags, with `-` for `_`, and what they are for. */
const FLAGS: readonly (readonly [flag: string, about: string])[] = [
  ["--listen <addr>", "where to listen (default: :8443)"],
  ["--ca-certs <files>", "authorities of client certificates, PEM, separated by commas"],
  ["--crls <files>", "revocation lists, PEM or DER, separated by commas"],
  ["--server-cert <file>", "the connector's certificate chain, PEM"],
  ["--server-key <file>", "its private key, PEM"],
  ["--issuer <name>", "SPIFFE trust domain of clients (default: tinyscale.com)"],
  ["--domain <name>", "hosts are one label below it (default: connect.tinyscale.com)"],
  ["--default-port <port>", "of hosts whose row names none (default: 22)"],
  [
    "--allowed-networks <cidrs>",
    "where sessions may be led, separated by commas (default: all but special)",
  ],
  ["--db <database>", "postgres, or sqlite:PATH (default: postgres)"],
  ["--db-host <host>", "PostgreSQL's host (default: 127.0.0.1)"],
  ["--db-port <port>", "PostgreSQL's port (default: 5432)"],
  ["--db-user <name>", "a role that may SELECT (default: tinyscale)"],
  ["--db-password <password>", "its password, which ps shows (default: tinyscale)"],
  ["--db-password-file <file>", "a file with the password, which ps does not show"],
  ["--db-name <name>", "the database on that server (default: tinyscale-ssh)"],
];

/** What commander makes of the flags that have a value. */
export type Given = Readonly<Record<string, string | undefined>>;

/** What commander makes of all flags. */
export type ConnectorFlags = Given & { readonly takeOver?: true };

/** Adds the flags of `mc-proxy connector` to its command. */
export function addConnectorFlags(command: Command): Command {
  command.option("-c, --config <file>", "configuration (TOML); flags win over its [connector]");
  for (const [flag, about] of FLAGS) command.option(flag, about);
  command.option("--take-over", "share the port with a running connector that is about to stop");
  return command.option("--log-level <level>", "debug, info, warn or error (default: info)");
}
