/**
 * What the comparisons of l7 share: where the files are, how load is made, how figures are printed.
 *
 * @module
 */
import { join } from "node:path";
import { createAuthority, issueCertificate } from "../../dev/certificates.ts";
import { runCommand } from "../../tests/support/commands.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import type { Target } from "../l4/target.ts";
import { HOST, type Stage } from "./targets.ts";

const LARGE_OCTETS = 1024 * 1024 * 1024;

/** What one run gave. */
export interface Measured {
  /** Per second. */
  readonly rate: number;
  /** Microseconds of CPU each. */
  readonly cpu: number;
}

/** Load by h2load with these settings. */
export async function h2load(target: Target, args: readonly string[]): Promise<Measured> {
  const url = `https://${HOST}:${target.port}/`;
  const before = target.cpuMicros();
  const { stdout } = await runCommand("h2load", [
    ...args,
    `--connect-to=127.0.0.1:${target.port}`,
    url,
  ]);
  const rate = Number(/finished in [^,]*, ([0-9.]+) req\/s/.exec(stdout)?.[1] ?? 0);
  const done = Number(/ (\d+) succeeded/.exec(stdout)?.[1] ?? 0);
  return { rate, cpu: (target.cpuMicros() - before) / Math.max(1, done) };
}

/** Octets per second. */
export async function curl(target: Target, args: readonly string[], path: string): Promise<number> {
  const { stdout } = await runCommand("curl", [
    "-sk",
    ...args,
    "-w",
    "\n%{speed_download} %{speed_upload}",
    "--resolve",
    `${HOST}:${target.port}:127.0.0.1`,
    `https://${HOST}:${target.port}/${path}`,
  ]);
  const speeds = stdout.trim().split("\n").at(-1)?.split(" ").map(Number) ?? [];
  return Math.max(...speeds);
}

/** Certificates, a large file, and ports, in `folder`. */
export async function prepare(folder: string): Promise<Stage> {
  const authority = await createAuthority({ commonName: "bench" });
  const { certPem, keyPem } = await issueCertificate(authority, {
    dnsNames: [HOST],
    usages: ["server"],
  });
  const [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name));
  await Deno.writeTextFile(cert ?? "", certPem);
  await Deno.writeTextFile(key ?? "", keyPem);
  await Deno.writeTextFile(both ?? "", certPem + keyPem);
  await Deno.mkdir(join(folder, "files"));
  await Deno.truncate(await emptyFile(join(folder, "files/large")), LARGE_OCTETS);
  await runCommand("chmod", ["-R", "a+rX", folder]);
  const [h2c = 0, http1 = 0, sink = 0] = await unusedPorts(3);
  return { folder, cert: cert ?? "", key: key ?? "", both: both ?? "", h2c, http1, sink };
}

async function emptyFile(path: string): Promise<string> {
  await Deno.writeFile(path, new Uint8Array(0));
  return path;
}

/** Starts the backend that swallows uploads. */
export function startSink(port: number): AsyncDisposable {
  const url = new URL("./sink.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", url.pathname, String(port)],
    stdin: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** The medians of rates and of CPU times. */
export function medianOf(all: readonly Measured[]): Measured {
  return { rate: median(all.map(({ rate }) => rate)), cpu: median(all.map(({ cpu }) => cpu)) };
}

/** The median. */
export function median(values: readonly number[]): number {
  return quantile([...values].sort((a, b) => a - b), 0.5);
}

/** A quantile of sorted values. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.floor(sorted.length * q)] ?? 0;
}

/** Prints one line of the table. */
export function row(
  name: string,
  target: string,
  first: string,
  second: string,
  rest: string,
): void {
  print(`${name.padEnd(18)} ${target.padEnd(13)} ${first.padEnd(14)} ${second.padEnd(16)} ${rest}`);
}

/** Prints a line. */
export function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line.trimEnd()}\n`));
}
