/**
 * Name servers of others that take dynamic updates.
 *
 * @module
 */
import { join } from "node:path";
import { commandPath, runCommand } from "./commands.ts";
import { eventually } from "./deadline.ts";
import { unusedPort } from "./ports.ts";

/** A name server that runs. */
export interface NameServer extends AsyncDisposable {
  readonly port: number;
  /** The texts of a name, in the words of dig. */
  texts(name: string): Promise<string[]>;
  readonly output: () => string;
}

/** The key that both take changes with. */
export const UPDATE_KEY = {
  name: "acme-key",
  secret: "c2VjcmV0LWZvci10ZXN0cy1vbmx5LTAxMjM0NTY3ODk=",
};

const ZONE = `$ORIGIN a.example.
$TTL 60
@ SOA ns.a.example. hostmaster.a.example. 1 3600 600 86400 60
@ NS ns.a.example.
ns A 127.0.0.1
_acme-challenge.alias CNAME one.proofs
one.proofs CNAME two.proofs
_acme-challenge.loop CNAME x.loop
x.loop CNAME _acme-challenge.loop
_acme-challenge.out CNAME elsewhere.c.example.
*.wild CNAME ns
`;

/** One that takes no changes, and leads to the other. */
const OTHER_ZONE = `$ORIGIN b.example.
$TTL 60
@ SOA ns.a.example. hostmaster.a.example. 1 3600 600 86400 60
@ NS ns.a.example.
_acme-challenge CNAME b.proofs.a.example.
`;

/** Knot DNS with the zone a.example. */
export function startKnot(): Promise<NameServer> {
  return start("knotd", (folder, port) => ({
    "knot.conf": `server:
    rundir: ${folder}
    listen: 127.0.0.1@${port}
database:
    storage: ${folder}
key:
  - id: ${UPDATE_KEY.name}
    algorithm: hmac-sha256
    secret: ${UPDATE_KEY.secret}
acl:
  - id: acme
    key: ${UPDATE_KEY.name}
    action: update
zone:
  - domain: a.example
    storage: ${folder}
    file: zone
    acl: acme
  - domain: b.example
    storage: ${folder}
    file: other
`,
    other: OTHER_ZONE,
    args: ["-c", join(folder, "knot.conf")],
  }));
}

/** BIND with the zone a.example. */
export function startBind(): Promise<NameServer> {
  return start("named", (folder, port) => ({
    "named.conf": `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; }; recursion no; pid-file "${folder}/pid"; session-keyfile "${folder}/session"; };
controls { };
key "${UPDATE_KEY.name}" { algorithm hmac-sha256; secret "${UPDATE_KEY.secret}"; };
zone "a.example" { type primary; file "${folder}/zone"; allow-update { key "${UPDATE_KEY.name}"; }; };
`,
    args: ["-g", "-c", join(folder, "named.conf"), "-p", String(port)],
  }));
}

async function start(
  command: string,
  configure: (folder: string, port: number) => Record<string, string | string[]>,
): Promise<NameServer> {
  const folder = await Deno.makeTempDir();
  const port = await unusedPort();
  const { args = [], ...files } = configure(folder, port);
  for (const [name, text] of Object.entries({ zone: ZONE, ...files })) {
    await Deno.writeTextFile(join(folder, name), String(text));
  }
  const child = new Deno.Command(commandPath(command) ?? command, {
    args: args as string[],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) output += new TextDecoder().decode(chunk);
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const dig = async (name: string, type: string) => {
    const at = ["@127.0.0.1", "-p", String(port), "+short", "+time=1", "+tries=1"];
    const { stdout, code } = await runCommand("dig", [...at, name, type]);
    return code === 0 ? stdout.split("\n").filter((line) => line !== "") : [];
  };
  const self: NameServer = {
    port,
    texts: (name) => dig(name, "TXT"),
    output: () => output,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await reading;
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    await eventually(async () => (await dig("ns.a.example", "A")).includes("127.0.0.1"), command);
  } catch (error) {
    await self[Symbol.asyncDispose]();
    throw new Error(output, { cause: error });
  }
  return self;
}
