import { invalid } from "../queue/mod.ts";
import { checkTlsPair, type ReadFile } from "../certificates/mod.ts";
import { type AcmeConfig, acmeProblem } from "../config/mod.ts";
import { ACME, type RouteSettings } from "../state/mod.ts";

/** A certificate with its key is a few kilobytes; more is not what the operator meant. */
const MAX_PEM_BYTES = 1024 * 1024;

/** What a {@link PairCheck} looks at files and authorities with. */
export interface PairCheckOptions {
  readonly readFile: ReadFile;
  /** Absent: no authority issues anything. */
  readonly acme?: AcmeConfig | undefined;
}

/** Checks the certificates that routes name; those that several of them share, once. */
export class PairCheck {
  readonly #readFile: ReadFile;
  readonly #checked = new Map<string, Promise<void>>();

  readonly #acme: AcmeConfig | undefined;

  constructor({ readFile, acme }: PairCheckOptions) {
    this.#readFile = readFile;
    this.#acme = acme;
  }

  /**
   * Checks that the route's certificate and key load and belong together.
   *
   * @throws {RefusedError} naming the field, never the path: the caller wrote it.
   */
  async check(route: RouteSettings, at = ""): Promise<void> {
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

  async #checkPair(cert: string, key: string, at: string): Promise<void> {
    const certPem = await this.#read(cert, `${at}tls_cert`);
    const keyPem = await this.#read(key, `${at}tls_key`);
    const pair = checkTlsPair(certPem, keyPem);
    if (pair.ok) return;
    const [fault] = pair.faults;
    const field = fault?.part === "key" ? "tls_key" : "tls_cert";
    throw invalid(`${at}${field}`, `the ${fault?.part} ${fault?.reason}`);
  }

  async #read(path: string, field: string): Promise<string> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#readFile(path);
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
  return "the file cannot be read";
}
