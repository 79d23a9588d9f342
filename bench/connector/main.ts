/**
 * The connector with one worker, over SQLite and over PostgreSQL, beside HAProxy with the same TLS
 * and one thread but nobody to ask, in turn, in one run. The steadiest figure on a noisy machine is
 * the CPU time per operation.
 *
 * Usage: `deno run -A bench/connector/main.ts [ROUNDS] [SECONDS]`
 *
 * @module
 */
import { join } from "node:path";
import { createAuthority, issueCertificate } from "../../dev/certificates.ts";
import {
  type Authorizer,
  createPostgresAuthorizer,
  createSqliteAuthorizer,
  type Directory,
  openDirectory,
  replaceDirectory,
} from "../../lib/connector/mod.ts";
import { HAS_POSTGRES } from "../../tests/support/postgres.ts";
import { startConnectorDatabase } from "../../tests/support/connector_database.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import type { LoadResult } from "../l4/load.ts";
import type { Target } from "../l4/target.ts";
import { bulk, type Client, newSessions } from "./load.ts";
import { DOMAIN, ISSUER, startConnector, startHaproxy } from "./target.ts";

const rounds = Number(Deno.args[0] ?? 3);
const seconds = Number(Deno.args[1] ?? 2);
const QUESTIONS = 5000;
const REQUEST = { orgId: "acme", userId: "alice", connectId: "echo" };

await using cleanup = new AsyncDisposableStack();
const folder = await Deno.makeTempDir({ prefix: "mc-proxy-bench-" });
cleanup.defer(() => Deno.remove(folder, { recursive: true }));
const [echoPort = 0, bulkPort = 0, ...ports] = await unusedPorts(5);
cleanup.use(startBackends());
const client = await makeCertificates();
const directory = directoryOf();
const targets: Target[] = [];
const setup = { folder, directory };
targets.push(cleanup.use(await startConnector("sqlite", ports[0] ?? 0, setup)));
const database = HAS_POSTGRES ? cleanup.use(await startConnectorDatabase()) : undefined;
if (database !== undefined) {
  const { hosts, teams, users } = directory;
  const rows = hosts.map((host) => ({ ...host, address: host.internalIpAddr }));
  await database.fill({ hosts: rows, teams, users });
  const postgres = { ...setup, postgres: database.server };
  targets.push(cleanup.use(await startConnector("postgres", ports[1] ?? 0, postgres)));
}
const haproxy = await startHaproxy(ports[2] ?? 0, setup);
if (haproxy !== undefined) targets.push(cleanup.use(haproxy));

print(`median of ${rounds} rounds of ${seconds} s; CPU is user + system of all threads`);
await compare("new sessions", "1/s", newSessions);
await compare("bulk download", "MB/s", bulk);
await askSqlite();
if (database !== undefined) {
  await ask("postgres", createPostgresAuthorizer({ server: database.server }));
}

async function compare(
  name: string,
  unit: string,
  load: (port: number, seconds: number, client: Client) => Promise<LoadResult>,
): Promise<void> {
  const results = targets.map(() => [] as { rate: number; cpu: number; errors: number }[]);
  for (let round = 0; round < rounds; round++) {
    for (const [i, target] of targets.entries()) {
      const before = target.cpuMicros();
      const { operations, seconds: taken, errors } = await load(target.port, seconds, client);
      const cpu = (target.cpuMicros() - before) / Math.max(1, operations);
      results[i]?.push({ rate: operations / taken, cpu, errors });
    }
  }
  const medians = results.map((all) => ({
    rate: median(all.map(({ rate }) => rate)),
    cpu: median(all.map(({ cpu }) => cpu)),
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
  }));
  const peer = haproxy && medians.at(-1);
  for (const [i, { rate, cpu, errors }] of medians.entries()) {
    const ratio = peer === undefined || targets[i] === haproxy
      ? ""
      : `  ${(rate / peer.rate).toFixed(2)} of haproxy's rate, ${
        (peer.cpu / cpu).toFixed(2)
      } by CPU`;
    const failures = errors > 0 ? `  ${errors} errors` : "";
    print(
      `${name.padEnd(16)} ${(targets[i]?.name ?? "").padEnd(9)} ${rate.toFixed(0).padStart(6)} ` +
        `${unit.padEnd(5)} ${cpu.toFixed(1).padStart(8)} µs each${failures}${ratio}`,
    );
  }
}

async function askSqlite(): Promise<void> {
  const store = openDirectory(join(folder, "asked.db"));
  replaceDirectory(store, directory);
  await ask("sqlite", createSqliteAuthorizer({ database: store }));
  store.close();
}

/** How long one question takes, asked one after the other. */
async function ask(name: string, authorizer: Authorizer): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < QUESTIONS; i++) {
    const start = performance.now();
    const decision = await authorizer.authorize(REQUEST);
    if (!decision.allowed) throw new Error(`${name}: ${decision.cause}`);
    times.push((performance.now() - start) * 1000);
  }
  await authorizer.close();
  times.sort((a, b) => a - b);
  const at = (q: number) => (times[Math.floor(times.length * q)] ?? 0).toFixed(0);
  print(`${"authorisation".padEnd(16)} ${name.padEnd(9)} p50 ${at(0.5)} µs, p99 ${at(0.99)} µs`);
}

function directoryOf(): Directory {
  const host = (connectId: string, port: number) => ({
    connectId,
    internalIpAddr: `127.0.0.1:${port}`,
    orgId: "acme",
    userIds: [],
    teamIds: ["ops"],
  });
  return {
    hosts: [host("echo", echoPort), host("bulk", bulkPort)],
    teams: [{ teamId: "ops", orgId: "acme", userIds: ["alice"] }],
    users: [{ userId: "alice", orgId: "acme", publicKeys: [] }],
  };
}

async function makeCertificates(): Promise<Client> {
  const authority = await createAuthority({ commonName: "bench" });
  const server = await issueCertificate(authority, {
    dnsNames: [`*.${DOMAIN}`],
    usages: ["server"],
  });
  const alice = await issueCertificate(authority, {
    commonName: "alice",
    uris: [`spiffe://${ISSUER}/orgs/acme/users/alice`],
    usages: ["client"],
  });
  await Deno.writeTextFile(join(folder, "ca.pem"), authority.certPem);
  await Deno.writeTextFile(join(folder, "server.pem"), server.certPem);
  await Deno.writeTextFile(join(folder, "server.key"), server.keyPem);
  return { cert: alice.certPem, key: alice.keyPem, ca: authority.certPem };
}

function startBackends(): AsyncDisposable {
  const url = new URL("../l4/backend.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", url.pathname, String(echoPort), String(bulkPort)],
    stdin: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
