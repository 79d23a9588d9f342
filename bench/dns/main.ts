/**
 * Processor time of an answer beside NSD, Knot, CoreDNS and Unbound, those that are installed, asked by
 * dnsperf: `deno run -A bench/dns/main.ts [--names 10000] [--seconds 5] [--modes udp,tcp,dot,forward]`.
 * Each server has one thread for its questions. What counts is the processor time of the server's
 * process for each question: it holds on a machine that does other things, too.
 *
 * `udp`, `tcp` and `dot` ask for names of one zone file, four clients with up to a hundred questions
 * under way; `forward` asks a forwarder for names that it has in its cache, over UDP.
 *
 * @module
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Mode, MODES, ORIGIN, SERVERS, type Start } from "./servers.ts";

const { values } = parseArgs({
  options: {
    names: { type: "string", default: "10000" },
    seconds: { type: "string", default: "5" },
    modes: { type: "string", default: MODES.join(",") },
  },
});
const names = Number(values.names);
/** Clock ticks of /proc in a second, on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;
const FIRST_PORT = 15_300;

const folder = await Deno.makeTempDir();
await Deno.writeTextFile(join(folder, "zone"), zoneText());
await Deno.writeTextFile(join(folder, "questions"), questions(10_000));
await Deno.writeTextFile(join(folder, "few"), questions(1000));
await certify();
let nextPort = FIRST_PORT;
for (const mode of MODES.filter((mode) => values.modes.split(",").includes(mode))) {
  say(`${mode}:`);
  await compare(mode);
}
await Deno.remove(folder, { recursive: true });

async function compare(mode: Mode): Promise<void> {
  const upstream = nextPort++;
  const authority = mode === "forward"
    ? await SERVERS.nsd?.({ folder, port: upstream, mode: "udp", upstream })
    : undefined;
  const above = authority && spawn(authority);
  try {
    if (above !== undefined) await answering(upstream);
    for (const [name, prepare] of Object.entries(SERVERS)) {
      const port = nextPort++;
      const start = await prepare({ folder, port, mode, upstream });
      if (start === undefined) say(`  ${name.padEnd(7)} is not installed, or does not do it`);
      else await measure(name, { start, port, mode });
    }
  } finally {
    above?.kill("SIGKILL");
    await above?.status;
  }
}

async function measure(
  name: string,
  { start, port, mode }: { readonly start: Start; readonly port: number; readonly mode: Mode },
): Promise<void> {
  const child = spawn(start);
  try {
    await answering(port, mode);
    // So that all of them are in the cache.
    if (mode === "forward") await run("dnsperf", [...askedOf(port, mode), "-n", "2", "-q", "10"]);
    const memory = await residentOf(child.pid);
    const before = await processorTime(child.pid);
    const { answered, perSecond } = await ask(port, mode);
    const spent = await processorTime(child.pid) - before;
    const micros = (spent / answered * 1e6).toFixed(1);
    say(
      `  ${name.padEnd(7)} ${micros.padStart(6)} µs a question, ${perSecond} a second, ${memory}`,
    );
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

function spawn({ command, args }: Start): Deno.ChildProcess {
  return new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).spawn();
}

async function certify(): Promise<void> {
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await run("openssl", ["req", "-x509", ...kind, ...files, "-subj", "/CN=bench", "-days", "2"]);
}

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
function questions(length: number): string {
  const lines = Array.from({ length }, (_, i) => {
    const name = i % 10 === 0 ? `no${i}` : `h${i * 7919 % names}`;
    return `${name}.${ORIGIN} A`;
  });
  return `${lines.join("\n")}\n`;
}

async function run(command: string, args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

async function answering(port: number, mode: Mode = "udp"): Promise<void> {
  const over = mode === "dot" ? ["+tls"] : [];
  const options = ["+short", "+retry=0", "+timeout=1", ...over];
  const until = performance.now() + 120_000;
  while (performance.now() < until) {
    const text = await run("kdig", ["@127.0.0.1", "-p", `${port}`, ...options, `h1.${ORIGIN}`]);
    if (text.startsWith("10.")) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("the server does not answer");
}

async function ask(
  port: number,
  mode: Mode,
): Promise<{ answered: number; perSecond: string }> {
  const how = ["-l", values.seconds, "-c", "4", "-q", "100"];
  const text = await run("dnsperf", [...askedOf(port, mode), ...how]);
  const [, answered = "0"] = /Queries completed:\s+(\d+)/.exec(text) ?? [];
  const [, perSecond = "0"] = /Queries per second:\s+(\d+)/.exec(text) ?? [];
  return { answered: Number(answered), perSecond };
}

function askedOf(port: number, mode: Mode): string[] {
  const isForward = mode === "forward";
  const what = join(folder, isForward ? "few" : "questions");
  return ["-s", "127.0.0.1", "-p", `${port}`, "-d", what, "-m", isForward ? "udp" : mode];
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
