/**
 * A name server as a process of its own that is managed over REST, at ports that stay the same when it
 * is started again, and what a proxy beside it has to be told.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { createServerIdentity } from "./certificates.ts";
import { McnsProcess } from "./mcns_process.ts";
import { unusedPorts } from "./ports.ts";
import { UdpClient } from "./served_zones.ts";
import { temporaryFolder } from "./temporary_folder.ts";
import { queryFor, readAnswer } from "./zone_samples.ts";

/** The token that may do everything. */
const TOKEN = "a-token-of-the-proxy";

let identity: ReturnType<typeof createServerIdentity> | undefined;

/** A name server that can be killed and started again. */
export class McnsBeside implements AsyncDisposable {
  readonly #folder: { readonly path: string } & Disposable;
  readonly #ports: readonly [dns: number, rest: number, grpc: number];
  readonly #zones: Readonly<Record<string, string>>;
  #process: McnsProcess | undefined;

  private constructor(
    folder: { readonly path: string } & Disposable,
    ports: readonly [number, number, number],
    zones: Readonly<Record<string, string>>,
  ) {
    this.#folder = folder;
    this.#ports = ports;
    this.#zones = zones;
  }

  /** Starts one with these zones: their texts by their names. */
  static async start(zones: Readonly<Record<string, string>>): Promise<McnsBeside> {
    const folder = temporaryFolder();
    identity ??= createServerIdentity("localhost");
    const { certPem: cert, keyPem: key, ca } = await identity;
    for (const [name, text] of Object.entries({ cert, key, "ca.pem": ca, token: `${TOKEN}\n` })) {
      await Deno.writeTextFile(join(folder.path, name), text);
    }
    const mcns = new McnsBeside(
      folder,
      await unusedPorts(3) as [number, number, number],
      zones,
    );
    await mcns.#start(zones);
    return mcns;
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** Where it answers questions. */
  get dns(): string {
    return `127.0.0.1:${this.#ports[0]}`;
  }

  /** The URL of its REST API. */
  get rest(): string {
    return `https://localhost:${this.#ports[1]}`;
  }

  /** How its REST API is spoken to. */
  async options(): Promise<{ server: string; caPem: string; token: string }> {
    const caPem = await Deno.readTextFile(join(this.folder, "ca.pem"));
    return { server: this.rest, caPem, token: TOKEN };
  }

  get lines(): readonly string[] {
    return this.#process?.lines ?? [];
  }

  /** Files for a proxy's folder. */
  async files(): Promise<Record<string, string>> {
    const { caPem } = await this.options();
    return { "mcns-ca.pem": caPem, "mcns.token": `${TOKEN}\n` };
  }

  /** The section `[mcns]` of a proxy in a folder with {@link files}. */
  section(folder: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return {
      ...{ server: this.rest, dns: this.dns, zones: Object.keys(this.#zones) },
      ...{ ca_cert: join(folder, "mcns-ca.pem"), token_file: join(folder, "mcns.token") },
      ...more,
    };
  }

  /** The records of a name and type that it answers with. */
  async ask(name: string, type: string): Promise<readonly string[]> {
    using udp = new UdpClient({ host: "127.0.0.1", port: this.#ports[0] });
    return readAnswer(await udp.ask(queryFor(`${name} ${type}`))).answer;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    this.#process = undefined;
  }

  /** Starts it again after {@link kill}. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#start({});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }

  async #start(zones: Readonly<Record<string, string>>): Promise<void> {
    const [dns, rest, grpc] = this.#ports;
    const hash = createHash("sha256").update(TOKEN).digest("hex");
    const config = `[server]
listen_addr = "127.0.0.1:${rest}"
grpc_addr = "127.0.0.1:${grpc}"
tls_cert = "${this.folder}/cert"
tls_key = "${this.folder}/key"
[auth]
token_hashes = ["sha256:${hash}"]
[dns]
listen_addr = "127.0.0.1:${dns}"
`;
    this.#process = await McnsProcess.start({ folder: this.folder, config, zones });
  }
}
