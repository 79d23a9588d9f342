import { invalid } from "../queue/mod.ts";
import { checkTlsPair, type ReadFile } from "../certificates/mod.ts";
import { type AcmeConfig, acmeProblem } from "../config/mod.ts";
import { UnplacedFileError } from "./named_files.ts";
import { ACME, judgePage, MAX_PAGE_FILE, type RouteSettings } from "../state/mod.ts";

/** A certificate with its key is a few kilobytes; more is not what the operator meant. */
const MAX_PEM_BYTES = 1024 * 1024;

/** What a {@link RouteFilesCheck} looks at files and authorities with. */
export interface RouteFilesCheckOptions {
  readonly readFile: ReadFile;
  /** Absent: no authority issues anything. */
  readonly acme?: AcmeConfig | undefined;
}

/** Checks the files that routes name; those that several of them share, once. */
export class RouteFilesCheck {
  readonly #readFile: ReadFile;
  readonly #checked = new Map<string, Promise<void>>();
  /** Why a file is no page; undefined: it is one. */
  readonly #pages = new Map<string, Promise<string | undefined>>();
  readonly #acme: AcmeConfig | undefined;

  constructor({ readFile, acme }: RouteFilesCheckOptions) {
    this.#readFile = readFile;
    this.#acme = acme;
  }

  /**
   * Checks that the route's certificate and key load and belong together, and that its error pages do.
   *
   * @throws {RefusedError} naming the field, never the path: the caller wrote it.
   */
  async check(route: RouteSettings, at = ""): Promise<void> {
    await this.#checkCertificate(route, at);
    await this.#checkPages(route, at);
  }

  async #checkCertificate(route: RouteSettings, at: string): Promise<void> {
    const { hostname, mode, tlsCert, tlsKey } = route;
    if (tlsCert === ACME) {
      const problem = acmeProblem(hostname, this.#acme);
      if (problem !== undefined) throw invalid(`${at}${problem.key}`, problem.reason);
      return;
    }
    if (mode === "l4" || tlsCert === "") return;
    const key = `${tlsCert}\0${tlsKey}`;
    let checked = this.#checked.get(key);
    if (checked === undefined) {
      checked = this.#checkPair(tlsCert, tlsKey, at);
      this.#checked.set(key, checked);
    }
    await checked;
  }

  async #checkPages({ mode, errorPages = [] }: RouteSettings, at: string): Promise<void> {
    if (mode !== "l7") return;
    for (const [i, { file }] of errorPages.entries()) {
      if (file === undefined) continue;
      let problem = this.#pages.get(file);
      if (problem === undefined) this.#pages.set(file, problem = this.#pageProblem(file));
      const reason = await problem;
      if (reason !== undefined) throw invalid(`${at}error_pages[${i}].file`, reason);
    }
  }

  async #pageProblem(file: string): Promise<string | undefined> {
    try {
      const judged = judgePage(await this.#readFile(file, MAX_PAGE_FILE));
      return typeof judged === "string" ? `the file ${judged}` : undefined;
    } catch (error) {
      return readProblem(error);
    }
  }

  async #checkPair(cert: string, key: string, at: string): Promise<void> {
    const certPem = await this.#readText(cert, `${at}tls_cert`);
    const keyPem = await this.#readText(key, `${at}tls_key`);
    const pair = checkTlsPair(certPem, keyPem);
    if (pair.ok) return;
    const [fault] = pair.faults;
    const field = fault?.part === "key" ? "tls_key" : "tls_cert";
    throw invalid(`${at}${field}`, `the ${fault?.part} ${fault?.reason}`);
  }

  async #readText(path: string, field: string): Promise<string> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#readFile(path, MAX_PEM_BYTES);
    } catch (error) {
      throw invalid(field, readProblem(error));
    }
    if (bytes.length > MAX_PEM_BYTES) throw invalid(field, `over ${MAX_PEM_BYTES} octets`);
    return new TextDecoder().decode(bytes);
  }
}

function readProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "the file does not exist";
  if (error instanceof Deno.errors.NotCapable) return "the proxy may not read it (--allow-read)";
  if (error instanceof Deno.errors.PermissionDenied) return "the proxy's user may not read it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.InvalidData) return "it is not a regular file";
  if (error instanceof UnplacedFileError || error instanceof RangeError) return error.message;
  return "the file cannot be read";
}
