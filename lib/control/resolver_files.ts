import { parseBackendEndpoint } from "../addr/mod.ts";
import type { Config } from "../config/mod.ts";
import { parseHosts, parseResolvConf } from "../dns/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ResolverSettings, Server } from "../resolver/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { ServedState } from "./served_state.ts";

const HOSTS = "/etc/hosts";
const RESOLV_CONF = "/etc/resolv.conf";
/** How often the files are looked at. */
const POLL_MS = 5000;
/** Longer ones are not the files that they are taken for. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** What {@link readResolverFiles} has read. */
export interface ResolverFiles {
  readonly settings: ResolverSettings;
  /** What tells it from what is read another time. */
  readonly seen: string;
}

/** What {@link readResolverFiles} reads with. */
export interface ResolverSource {
  readonly config: Pick<Config, "resolver">;
  readonly readFile: ReadFile;
}

/**
 * Reads the system's files for the workers, which may not. A hosts file that is not there is empty.
 *
 * @throws {Error} if nobody says whom to ask.
 */
export async function readResolverFiles(
  { config: { resolver }, readFile }: ResolverSource,
): Promise<ResolverFiles> {
  const servers = resolver.servers.map(toServer);
  const text = async (path: string) => {
    const bytes = await readFile(path);
    return new TextDecoder().decode(bytes.subarray(0, MAX_FILE_BYTES));
  };
  const hosts = await text(HOSTS).catch(() => "");
  const resolvConf = await text(RESOLV_CONF).catch((error) => {
    if (servers.length > 0) return "";
    throw error;
  });
  return {
    seen: `${hosts}\0${resolvConf}`,
    settings: {
      hosts: parseHosts(hosts),
      resolvConf: parseResolvConf(resolvConf),
      ...servers.length > 0 && { servers },
    },
  };
}

function toServer(text: string): Server {
  const endpoint = parseBackendEndpoint(text);
  if (!endpoint.ok) throw new TypeError(`resolver.servers: ${endpoint.reason}`);
  const { host: hostname, port } = endpoint.value;
  return { hostname, port };
}

/** Notices changes of the system's files; one that cannot be read changes nothing. */
export class ResolverFilesWatch implements Disposable {
  readonly #source: ResolverSource & { readonly log: LogSink };
  readonly #apply: (settings: ResolverSettings) => Promise<void>;
  readonly #timer: ReturnType<typeof setInterval>;
  #seen: string;
  #looking = false;
  /** Why they could not be used the last time; said once. */
  #problem = "";

  constructor(
    files: ResolverFiles,
    source: ResolverSource & { readonly log: LogSink },
    apply: (settings: ResolverSettings) => Promise<void>,
  ) {
    this.#seen = files.seen;
    this.#source = source;
    this.#apply = apply;
    this.#timer = setInterval(() => void this.look(), POLL_MS);
  }

  /** Looks now; resolves when what was found is in use. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { seen, settings } = await readResolverFiles(this.#source);
      this.#problem = "";
      if (seen === this.#seen) return;
      await this.#apply(settings);
      this.#seen = seen;
    } catch (error) {
      const problem = describeError(error);
      if (problem === this.#problem) return;
      this.#problem = problem;
      const message = "the resolver's files cannot be used, the old ones stay in use";
      this.#source.log({ level: "warn", message, fields: { error: problem } });
    } finally {
      this.#looking = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** {@link readResolverFiles}, or nothing and a word about it in the log. */
export async function openResolverFiles(
  source: ResolverSource & { readonly log: LogSink },
): Promise<ResolverFiles | undefined> {
  try {
    return await readResolverFiles(source);
  } catch (error) {
    const fields = { error: describeError(error) };
    const message = "the system's resolver is used: one name that hangs may delay others";
    source.log({ level: "warn", message, fields });
    return undefined;
  }
}

/** Has the data plane use what the files say, as soon as they say something else. */
export function watchResolverFiles(
  files: ResolverFiles | undefined,
  { state, ...source }: ResolverSource & { readonly log: LogSink; readonly state: ServedState },
): ResolverFilesWatch | undefined {
  if (files === undefined) return undefined;
  const operation = { actor: "mc-proxy", action: "ReloadResolver" };
  return new ResolverFilesWatch(
    files,
    source,
    (settings) => state.exclusive(() => state.unstored.replaceResolver(settings, operation)),
  );
}
