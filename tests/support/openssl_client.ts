/**
 * `openssl s_client` as a TLS client that keeps its session and comes back with it: the runtime's
 * own client hides which sessions it resumes.
 *
 * @module
 */
import { join } from "node:path";
import type { IssuedCertificate } from "./certificates.ts";
import { withinDeadline } from "./deadline.ts";
import { type TemporaryFolder, temporaryFolder } from "./temporary_folder.ts";

/** What every visit has in common. */
export interface OpensslClientOptions {
  readonly port: number;
  readonly servername: string;
  readonly version: "tls1_2" | "tls1_3";
}

/** What came of one visit. */
export interface Visit {
  /** Whether an echo came back. */
  readonly echoed: boolean;
  /** Whether the handshake resumed a session. */
  readonly reused: boolean;
  readonly output: string;
}

/** A client that visits an echo backend. */
export class OpensslClient implements Disposable {
  readonly #options: OpensslClientOptions;
  readonly #folder: TemporaryFolder = temporaryFolder();
  #files = 0;

  constructor(options: OpensslClientOptions) {
    this.#options = options;
  }

  /** Connects with a full handshake, or with the session of an earlier visit. */
  async visit(
    { client, keep, resume }: {
      readonly client?: IssuedCertificate | undefined;
      /** Name under which the session is kept. */
      readonly keep?: string;
      /** Name of the session to resume. */
      readonly resume?: string;
    },
  ): Promise<Visit> {
    const { port, servername, version } = this.#options;
    const child = new Deno.Command("openssl", {
      args: [
        ...["s_client", `-${version}`, "-connect", `127.0.0.1:${port}`, "-servername", servername],
        ...client === undefined ? [] : await this.#certificate(client),
        ...keep === undefined ? [] : ["-sess_out", this.#path(keep)],
        ...resume === undefined ? [] : ["-sess_in", this.#path(resume)],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    const output = await withinDeadline(converse(child, writer), "openssl s_client ends");
    return { echoed: output.includes(ECHO), reused: output.includes("Reused, "), output };
  }

  /** Whether a session was given to it under that name. */
  has(name: string): boolean {
    try {
      return Deno.statSync(this.#path(name)).size > 0;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }

  async #certificate({ certPem, keyPem }: IssuedCertificate): Promise<string[]> {
    const name = `client-${this.#files++}`;
    const [cert, key, chain] = ["pem", "key", "chain"].map((end) => this.#path(`${name}.${end}`));
    const [leaf = "", ...others] = certPem.match(PEM) ?? [];
    await Deno.writeTextFile(cert as string, leaf);
    await Deno.writeTextFile(key as string, keyPem);
    const below = ["-cert", cert as string, "-key", key as string];
    if (others.length === 0) return below;
    await Deno.writeTextFile(chain as string, others.join("\n"));
    return [...below, "-cert_chain", chain as string];
  }

  #path(name: string): string {
    return join(this.#folder.path, name);
  }
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** Neither a command of s_client's nor a word that it prints. */
const ECHO = "marco-polo";

/** Says its word, waits for the echo or the end, and leaves. */
async function converse(
  child: Deno.ChildProcess,
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
): Promise<string> {
  await writer.write(new TextEncoder().encode(`${ECHO}\n`)).catch(() => {});
  let output = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    // Its session is printed, and kept, with the ticket that comes behind the handshake.
    if (output.includes(ECHO)) await writer.close().catch(() => {});
  }
  await writer.close().catch(() => {});
  await child.status;
  return output;
}
