/**
 * Processor time of an authoritative answer beside NSD and Knot, from one zone of many names, asked by
 * dnsperf over UDP: `deno run -A bench/dns/main.ts [--names 10000] [--seconds 5]`. Each server has one
 * thread for its questions. What counts is the processor time of the server's process for each
 * question: it holds on a machine that does other things, too.
 *
 * @module
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { knotConfig, nsdConfig } from "../../tests/support/dns_peers.ts";

const { values } = parseArgs({
  options: {
    names: { type: "string", default: "10000" },
    seconds: { type: "string", default: "5" },
  },
});
const names = Number(values.names);
const ORIGIN = "bench.example.";
/** Clock ticks of /proc in a second, on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;
const FIRST_PORT = 15_300;

const folder = await Deno.makeTempDir();
await Deno.writeTextFile(join(folder, "zone"), zoneText());
await Deno.writeTextFile(join(folder, "questions"), questions());

const SERVERS: Record<string, (port: number) => Promise<[string, string[]]>> = {
  mcns: (port) => {
    const config = join(import.meta.dirname ?? ".", "../../deno.json");
    const script = join(import.meta.dirname ?? ".", "server.ts");
    const flags = ["--v8-flags=--min-semi-space-size=16", "--no-check", "--config", config];
    const args = ["run", "-A", ...flags, script, join(folder, "zone"), ORIGIN, `${port}`];
    return Promise.resolve([Deno.execPath(), args]);
  },
  nsd: async (port) => {
    const file = join(folder, "nsd.conf");
    const zones = `zone:\n  name: ${ORIGIN}\n  zonefile: zone\n`;
    const server = "  server-count: 1\n  rrl-ratelimit: 0\n";
    await Deno.writeTextFile(file, nsdConfig({ folder, port }, zones, server));
    return ["nsd", ["-d", "-c", file]];
  },
  knotd: async (port) => {
    const file = join(folder, "knot.conf");
    const zones = `zone:
  - domain: ${ORIGIN}
    storage: ${folder}
    file: zone
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
`;
    const server = "    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n";
    await Deno.writeTextFile(file, knotConfig({ folder, port }, zones, server));
    return ["knotd", ["-c", file]];
  },
};

for (const [index, [name, prepare]] of Object.entries(SERVERS).entries()) {
  const port = FIRST_PORT + index;
  const [command, args] = await prepare(port);
  const child = new Deno.Command(command, { args, stdout: "null", stderr: "null" }).spawn();
  try {
    await answering(port);
    const memory = await residentOf(child.pid);
    const before = await processorTime(child.pid);
    const { answered, perSecond } = await ask(port);
    const spent = await processorTime(child.pid) - before;
    const micros = (spent / answered * 1e6).toFixed(1);
    say(`${name.padEnd(6)} ${micros.padStart(6)} µs a question, ${perSecond} a second, ${memory}`);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}
await Deno.remove(folder, { recursive: true });

function zoneText(): string {
  const lines = [
    `${ORIGIN} 300 IN SOA ns.${ORIGIN} h.${ORIGIN} 1 3600 600 86400 60`,
    `${ORIGIN} 300 IN NS ns.${ORIGIN}`,
    `ns.${ORIGIN} 300 IN A 192.0.2.53`,
  ];
  for (let i = 0; i < names; i++) {
    const address = `10.${i >> 16 & 255}.${i >> 8 & 255}.${i & 255}`;
    lines.push(`h${i}.${ORIGIN} 300 IN A ${address}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Nine of ten are there. */
function questions(): string {
  const lines = Array.from({ length: 10_000 }, (_, i) => {
    const name = i % 10 === 0 ? `no${i}` : `h${i * 7919 % names}`;
    return `${name}.${ORIGIN} A`;
  });
  return `${lines.join("\n")}\n`;
}

async function run(command: string, args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

async function answering(port: number): Promise<void> {
  const args = ["@127.0.0.1", "-p", `${port}`, "+short", "+tries=1", "+timeout=1", `h1.${ORIGIN}`];
  const until = performance.now() + 120_000;
  while (performance.now() < until) {
    if ((await run("dig", args)).startsWith("10.")) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("the server does not answer");
}

async function ask(port: number): Promise<{ answered: number; perSecond: string }> {
  const args = ["-s", "127.0.0.1", "-p", `${port}`, "-d", join(folder, "questions")];
  const text = await run("dnsperf", [...args, "-l", values.seconds, "-c", "4", "-q", "100"]);
  const [, answered = "0"] = /Queries completed:\s+(\d+)/.exec(text) ?? [];
  const [, perSecond = "0"] = /Queries per second:\s+(\d+)/.exec(text) ?? [];
  return { answered: Number(answered), perSecond };
}

/** Seconds of the process and of its children, which NSD answers in. */
async function processorTime(pid: number): Promise<number> {
  let seconds = 0;
  for (const own of await family(pid)) {
    const stat = await Deno.readTextFile(`/proc/${own}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    seconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }
  return seconds;
}

async function residentOf(pid: number): Promise<string> {
  let kib = 0;
  for (const own of await family(pid)) {
    const status = await Deno.readTextFile(`/proc/${own}/status`);
    kib += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
  return `${Math.round(kib / 1024)} MiB`;
}

async function family(pid: number): Promise<number[]> {
  const text = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  const children = text.trim().split(" ").filter((word) => word !== "").map(Number);
  return [pid, ...(await Promise.all(children.map(family))).flat()];
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
