/**
 * Pebble, the CA of Let's Encrypt for tests, with its DNS server.
 *
 * @module
 */
import { join } from "node:path";
import { createServerIdentity } from "./certificates.ts";
import { commandPath } from "./commands.ts";
import { eventually } from "./deadline.ts";
import { unusedPorts } from "./ports.ts";

/** Programs that a test with a {@link startPebble} needs. */
export const PEBBLE_COMMANDS = ["pebble", "pebble-challtestsrv"] as const;

/** What a CA is to be like. */
export interface PebbleOptions {
  /** Where it looks for proofs by tls-alpn-01 and by http-01. */
  readonly tlsPort?: number;
  readonly httpPort?: number;
  /** Of 100 good nonces so many are refused. */
  readonly badNonces?: number;
  /** Whether its validators sleep up to some seconds. */
  readonly sleeps?: boolean;
  /** External accounts, by kid; with any, others are refused. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  /** Seconds for which certificates are good. */
  readonly validitySeconds?: number;
  /** Whom it asks for names. Default: its own DNS server. */
  readonly dnsServer?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A CA that runs. */
export interface Pebble extends AsyncDisposable {
  readonly directory: string;
  /** Of its HTTPS server. */
  readonly caPem: string;
  readonly caFile: string;
  /** `host:port` of its DNS server's management. */
  readonly management: string;
  readonly dnsPort: number;
  /** The root that its certificates hang on, PEM. */
  root(): Promise<string>;
  /** Makes its DNS server answer. */
  dns(call: string, body: unknown): Promise<void>;
  /** Asks a URL of its management. */
  manage(path: string): Promise<string>;
  readonly output: () => string;
}

/** Starts a CA; ends with its scope. */
export async function startPebble(options: PebbleOptions = {}): Promise<Pebble> {
  const folder = await Deno.makeTempDir();
  const [port, managementPort, dns, dnsManagement] = await unusedPorts(4) as [
    number,
    number,
    number,
    number,
  ];
  const { certPem, keyPem, ca } = await createServerIdentity("localhost");
  const write = async (name: string, text: string) => {
    const path = join(folder, name);
    await Deno.writeTextFile(path, text);
    return path;
  };
  const { tlsPort = 5001, httpPort = 5002, externalAccounts, validitySeconds = 7_776_000 } =
    options;
  const config = await write(
    "config.json",
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${managementPort}`,
        certificate: await write("server.pem", certPem),
        privateKey: await write("server.key", keyPem),
        httpPort,
        tlsPort,
        ocspResponderURL: "",
        externalAccountBindingRequired: externalAccounts !== undefined,
        ...externalAccounts && { externalAccountMACKeys: externalAccounts },
        retryAfter: { authz: 1, order: 1 },
        keyAlgorithm: "ecdsa",
        profiles: {
          default: { description: "the usual", validityPeriod: validitySeconds },
          shortlived: { description: "six days", validityPeriod: 518_400 },
        },
      },
    }),
  );
  const dnsServer = spawn(
    "pebble-challtestsrv",
    [
      ...["-dnsserver", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${dnsManagement}`],
      ...["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""],
      ...["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""],
    ],
  );
  const pebble = spawn("pebble", [
    "-config",
    config,
    "-dnsserver",
    options.dnsServer ?? `127.0.0.1:${dns}`,
  ], {
    PEBBLE_WFE_NONCEREJECT: String(options.badNonces ?? 0),
    ...!options.sleeps && { PEBBLE_VA_NOSLEEP: "1" },
    PEBBLE_AUTHZREUSE: "0",
    ...options.env,
  });
  const client = Deno.createHttpClient({ caCerts: [ca] });
  const get = async (url: string) => await (await fetch(url, { client })).text();
  const management = `127.0.0.1:${dnsManagement}`;
  const self: Pebble = {
    directory: `https://localhost:${port}/dir`,
    caPem: ca,
    caFile: await write("ca.pem", ca),
    management,
    dnsPort: dns,
    root: () => get(`https://localhost:${managementPort}/roots/0`),
    manage: (path) => get(`https://localhost:${managementPort}${path}`),
    dns: async (call, body) => {
      const answer = await fetch(`http://${management}/${call}`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`challtestsrv: ${answer.status}`);
    },
    output: () => `${pebble.output()}\n${dnsServer.output()}`,
    async [Symbol.asyncDispose]() {
      client.close();
      await Promise.all([pebble.end(), dnsServer.end()]);
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    await eventually(async () => {
      try {
        await get(self.directory);
        await (await fetch(`http://${management}/`)).body?.cancel();
        return true;
      } catch {
        return false;
      }
    }, "the CA answers");
  } catch (error) {
    await self[Symbol.asyncDispose]();
    throw new Error(self.output().slice(-4000), { cause: error });
  }
  return self;
}

function spawn(command: string, args: string[], env: Record<string, string> = {}) {
  const child = new Deno.Command(commandPath(command) ?? command, {
    args,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output = (output + decoder.decode(chunk)).slice(-200_000);
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  return {
    output: () => output,
    async end() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await reading;
    },
  };
}
