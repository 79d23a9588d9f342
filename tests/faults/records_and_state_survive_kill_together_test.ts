import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { callDnsRest } from "../../lib/dns_rest/mod.ts";
import { eventually } from "../support/deadline.ts";
import { type DnsGate, type GateCall, startDnsGate } from "../support/dns_gate.ts";
import { McnsBeside } from "../support/mcns_beside.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ZONE = "@ SOA ns host 1 3600 600 604800 1\n@ NS ns\nns A 127.0.0.1\n";

/** Each message between the two, on its way there and back, and whether the decision is made by then. */
const STEPS: readonly (readonly [GateCall, "before" | "after", boolean])[] = [
  ["prepare", "before", false],
  ["prepare", "after", false],
  ["commit", "before", true],
  ["commit", "after", true],
];

/** In each run two of them, at which one side knows more than the other; with FAULT_ROUNDS, all. */
const ROUND = Deno.env.has("FAULT_ROUNDS") ? STEPS : STEPS.slice(1, 3);

/** A proxy beside a name server, both processes of their own, with a gate between them. */
class Both implements AsyncDisposable {
  readonly #folder = temporaryFolder();
  proxy: Proxy | undefined;
  #addr = "";

  constructor(readonly mcns: McnsBeside, readonly gate: DnsGate) {}

  static async start(): Promise<Both> {
    const mcns = await McnsBeside.start({ "a.example": ZONE });
    const { server, caPem } = await mcns.options();
    const both = new Both(mcns, await startDnsGate({ server, caPem }));
    both.#addr = `127.0.0.1:${await unusedPort()}`;
    await both.startProxy();
    return both;
  }

  async startProxy(): Promise<void> {
    const { "mcns.token": token } = await this.mcns.files() as Record<string, string>;
    this.proxy = await startProxy({
      folder: this.#folder.path,
      config: (folder) => ({
        listeners: [{ addr: this.#addr }],
        grpc: { addr: join(folder, "admin.sock") },
        mcns: this.mcns.section(folder, { server: this.gate.url }),
      }),
      files: { "mcns-ca.pem": this.gate.ca, "mcns.token": token ?? "" },
    });
  }

  #client() {
    return createClient({ socketPath: join(this.#folder.path, "admin.sock"), timeoutMs: 30_000 });
  }

  async apply(name: string): Promise<void> {
    using client = this.#client();
    const route = { hostname: `${name}.a.example`, backend: "192.0.2.1:443" };
    await client.apply({
      state: {
        listeners: { listeners: [{ listener: { addr: this.#addr }, routes: [{ route }] }] },
        records: [{ name: `${name}.a.example`, type: "A", ttl: 60, values: ["192.0.2.7"] }],
      },
    });
  }

  /** Waits until nothing is in doubt; whether both have the name. Fails if one has it alone. */
  async settled(name: string): Promise<boolean> {
    using client = this.#client();
    const options = await this.mcns.options();
    await eventually(
      async () => {
        const { json } = await callDnsRest(options, { method: "GET", path: "/v1/changes" });
        const { status } = await client.getStatus({});
        return (json.changes as unknown[]).length === 0 && status?.dnsChanges.length === 0;
      },
      "nothing is in doubt",
      60_000,
    );
    const { state } = await client.exportState({});
    const isRouted =
      state?.listeners?.listeners.some(({ routes }) =>
        routes.some(({ route }) => route?.hostname === `${name}.a.example`)
      ) ?? false;
    const answered = await this.mcns.ask(`${name}.a.example`, "A");
    assert.deepEqual(answered, isRouted ? [`${name}.a.example. 60 A 192.0.2.7`] : []);
    return isRouted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate.watch = () => {};
    await this.proxy?.stop("SIGKILL");
    await this.gate[Symbol.asyncDispose]();
    await this.mcns[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

Deno.test("a proxy that is killed at any message leaves both with the change or neither", async () => {
  await using both = await Both.start();
  for (const [i, [call, when, isMade]] of ROUND.entries()) {
    both.gate.watch = async (...at) => {
      if (at[0] !== call || at[1] !== when) return;
      both.gate.watch = () => {};
      await both.proxy?.stop("SIGKILL");
      // What it has sent before is on its way; what it was about to send is not.
      return when === "before" ? "cut" : undefined;
    };
    await assert.rejects(both.apply(`n${i}`));
    await both.startProxy();
    assert.equal(await both.settled(`n${i}`), isMade, `${call} ${when}`);
  }
});

Deno.test("a name server that is killed at any message leaves both with the change or neither", async () => {
  await using both = await Both.start();
  for (const [i, [call, when, isMade]] of ROUND.entries()) {
    both.gate.watch = async (...at) => {
      if (at[0] !== call || at[1] !== when) return;
      both.gate.watch = () => {};
      await both.mcns.kill();
      return "cut";
    };
    const applied = both.apply(`n${i}`).then(() => true, () => false);
    assert.equal(await applied, isMade, `${call} ${when}`);
    await both.mcns.restart();
    assert.equal(await both.settled(`n${i}`), isMade, `${call} ${when}`);
  }
});
