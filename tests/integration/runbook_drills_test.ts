/**
 * The drills of RUNBOOK.md, run as they are written there.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { runCommand } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPort } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { proxyV1 } from "../support/proxy_header.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const runbook = Deno.readTextFileSync(join(ROOT, "RUNBOOK.md"));

/** The commands of a drill; its heading says how many they are. */
function drill(title: string): string[] {
  const found = new RegExp(
    `^### ${title}: ([0-9]+) commands?\\n\\n\`\`\`text\\n([^\`]*)\`\`\`$`,
    "m",
  )
    .exec(runbook);
  assert.ok(found, `RUNBOOK.md has the drill ${title}`);
  const commands = (found[2] ?? "").trim().split("\n");
  assert.equal(commands.length, Number(found[1]), title);
  return commands;
}

/** A host on which commands are run, as far as drills need one. */
class Host implements AsyncDisposable {
  readonly folder = temporaryFolder();
  /** Where clients that a load balancer names arrive, and where others do. */
  balancer = 0;
  direct = 0;
  /** Who says what is served from the next start on. */
  source = "database";
  #proxy: Proxy | undefined;

  static async start(): Promise<Host> {
    const host = new Host();
    [host.balancer, host.direct] = [await unusedPort(), await unusedPort()];
    await Deno.mkdir(host.path("certs"));
    await host.issue("www");
    await host.#systemctl("start");
    return host;
  }

  path(name: string): string {
    return join(this.folder.path, name);
  }

  /** Puts a new certificate into files of this name. */
  async issue(name: string): Promise<string> {
    const { certPem, keyPem, ca } = await createServerIdentity("www.example.net");
    await Deno.writeTextFile(this.path(`certs/${name}.pem`), certPem);
    await Deno.writeTextFile(this.path(`certs/${name}.key`), keyPem);
    return ca;
  }

  /** Runs the commands of a drill; what they print. */
  async run(commands: readonly string[]): Promise<string[]> {
    const printed: string[] = [];
    for (const command of commands) printed.push(await this.#runOne(command));
    return printed;
  }

  async #runOne(command: string): Promise<string> {
    const [program = "", ...args] = [...command.matchAll(/"([^"]*)"|(\S+)/g)]
      .map(([, quoted, bare]) => quoted ?? bare ?? "")
      .map((word) => word.replace("/srv/mc-proxy", this.folder.path))
      .map((word) => word === ":8443" ? `127.0.0.1:${this.direct}` : word);
    switch (program) {
      case "mcproxyctl": {
        const socketPath = this.path("mc-proxy.sock");
        const { code, stdout, stderr } = await runCtl({ socketPath }, args);
        assert.equal(code, 0, `${command}: ${stderr}`);
        return stdout;
      }
      case "mc-proxy": {
        const line = proxyLine(this.folder.path, ...args);
        const { code, stdout, stderr } = await runCommand(Deno.execPath(), line);
        assert.equal(code, 0, `${command}: ${stderr}`);
        return stdout;
      }
      case "mv":
        await Deno.rename(args[0] ?? "", args[1] ?? "");
        return "";
      case "systemctl":
        assert.equal(args[1], "mc-proxy");
        await this.#systemctl(args[0] ?? "");
        return "";
    }
    throw new Error(`nobody knows how to run ${command}`);
  }

  async #systemctl(verb: string): Promise<void> {
    if (verb === "stop") assert.equal(await this.#proxy?.stop(), 0);
    else if (verb === "reload") Deno.kill(this.#proxy?.pid ?? -1, "SIGHUP");
    else if (verb === "start") this.#proxy = await this.#startProxy();
    else throw new Error(`systemctl ${verb}`);
  }

  #startProxy(): Promise<Proxy> {
    return startProxy({
      folder: this.folder.path,
      config: {
        listeners: [
          { addr: `127.0.0.1:${this.balancer}`, proxy_protocol: true },
          {
            addr: `127.0.0.1:${this.direct}`,
            routes: [{
              hostname: "www.example.net",
              backend: "127.0.0.1:1",
              mode: "l7",
              tls_cert: this.path("certs/www.pem"),
              tls_key: this.path("certs/www.key"),
            }],
          },
        ],
        state: { source: this.source },
        grpc: { addr: this.path("mc-proxy.sock") },
        history: { path: this.path("history.db") },
      },
    });
  }

  /** Comes as a client, says nothing sensible and is refused. */
  async hammer(client: string): Promise<void> {
    await using peer = await connectRaw({ port: this.balancer });
    peer.socket.write(proxyV1(client, "192.0.2.1"));
    peer.socket.write("GET / HTTP/1.1\r\n\r\n");
    assert.equal(await peer.ending, "reset");
  }

  /** Whether the route shows a certificate of this authority. */
  async shows(ca: string): Promise<boolean> {
    const target = { port: this.direct, servername: "www.example.net", ca };
    return await connectTls(target).then(async (peer) => {
      await peer[Symbol.asyncDispose]();
      return true;
    }, () => false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

Deno.test("the drills of an incident: who hammers us, block it, why was it refused, try a rule", async () => {
  await using host = await Host.start();
  for (let i = 0; i < 12; i++) await host.hammer("203.0.113.9");
  await host.hammer("198.51.100.7");
  const [heaviest = "", blocked = ""] = await host.run(
    drill("Find a client that hammers us, and block it"),
  );
  assert.match(heaviest, /^CLIENT .*\n203\.0\.113\.9 +12 +12 /m, "it is the first of the list");
  assert.match(blocked, /^added rule #1: .*203\.0\.113\.9 until /);
  await host.hammer("203.0.113.9");
  const why = drill("Why was this client refused yesterday");
  await eventually(async () => {
    const [history = ""] = await host.run(why);
    return / blocked +1 .* ip 203\.0\.113\.9 \(#1\)$/m.test(history) &&
      / hello_invalid /.test(history);
  }, "the history has both reasons");
  const [tried] = await host.run(drill("Try a rule on those who came"));
  assert.match(tried ?? "", /of 2 clients since .*, 1 would have been refused and 0 let in/);
});

Deno.test("the drills of a backend: how is it, take it out, bring it back", async () => {
  await using host = await Host.start();
  await host.run(["mcproxyctl backends add www.example.net 10.0.0.7:443"]);
  const [listed = ""] = await host.run(drill("A backend is sick"));
  assert.match(listed, /^LISTENER .*\n.* 127\.0\.0\.1:1 +up .*\n.* 10\.0\.0\.7:443 +starting /m);
  const [drained = "", during = "", back = ""] = await host.run(
    drill("Take a backend out for maintenance, and back"),
  );
  assert.match(drained, /^backend 10\.0\.0\.7:443 of www\.example\.net drains/);
  assert.match(during, /10\.0\.0\.7:443 +drain .* 0 /);
  assert.match(back, /is used again/);
});

Deno.test("the drills of a quiet day: rotate, drain, restore", async () => {
  await using host = await Host.start();
  const ca = await host.issue("new");
  assert.equal(await host.shows(ca), false);
  await host.run(drill("Rotate a certificate"));
  await eventually(() => host.shows(ca), "the new certificate is shown");
  const [copy = "", ...restore] = drill("Take a copy, and restore it");
  await host.run([copy]);
  assert.match((await host.run(drill("Drain a listener")))[0] ?? "", /^removed listener /);
  await eventually(async () => !await host.shows(ca), "nobody is accepted there");
  await host.run(restore);
  assert.equal(await host.shows(ca), true, "the listener is back, with its route");
  host.source = "file";
  await host.run(["systemctl stop mc-proxy", "systemctl start mc-proxy"]);
  const added = `\n[[listeners]]\naddr = "127.0.0.1:${await unusedPort()}"\n`;
  await Deno.writeTextFile(host.path("mc-proxy.toml"), added, { append: true });
  const [checked, reloaded] = await host.run(
    drill("Change what is served, where the file says it"),
  );
  assert.match(checked ?? "", /: ok; 1 difference to what was applied last/);
  assert.match(reloaded ?? "", /^\+ listener 127\.0\.0\.1:\d+\n1 difference\n.* is in effect/m);
});

Deno.test("upgrading and rolling back are what the test of the installer runs", async () => {
  const test = await Deno.readTextFile(
    join(ROOT, "tests/integration/install_script_upgrades_and_keeps_the_config_test.ts"),
  );
  for (const command of drill("Upgrade, and roll back")) {
    const [script, verb = ""] = command.split(" ");
    assert.equal(script, "deploy/install.sh");
    assert.ok(new RegExp(`\\b${verb}\\b`).test(test), `nobody tests ${command}`);
  }
});

Deno.test("certbot's deploy hook puts both files where a route finds them", async () => {
  using folder = temporaryFolder();
  const [, hook = ""] = /deploy\/mc-proxy`, executable:\n\n```text\n([^`]*)```/.exec(runbook) ?? [];
  assert.notEqual(hook, "");
  const lineage = join(folder.path, "live/www.example.net");
  const certs = join(folder.path, "certs");
  await Deno.mkdir(lineage, { recursive: true });
  await Deno.mkdir(certs);
  for (const name of ["privkey", "fullchain"]) {
    await Deno.writeTextFile(join(lineage, `${name}.pem`), name);
  }
  // There is no user of an installation here.
  const script = hook.replace("/srv/mc-proxy/certs", certs).replace("-o mc-proxy -g mc-proxy ", "");
  const command = new Deno.Command("sh", {
    args: ["-c", script],
    env: { RENEWED_LINEAGE: lineage },
  });
  const { code, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(await Deno.readTextFile(join(certs, "www.example.net.key")), "privkey");
  assert.equal(await Deno.readTextFile(join(certs, "www.example.net.pem")), "fullchain");
  assert.equal(((await Deno.stat(join(certs, "www.example.net.key"))).mode ?? 0) & 0o777, 0o600);
  assert.deepEqual([...Deno.readDirSync(certs)].length, 2, "and leaves nothing else");
});
