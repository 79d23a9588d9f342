import { AcmeClient, AcmeHttp, exportKeyPem, generateKey, importKeyPem } from "../acme/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import type { IssuanceStore } from "./issuance_store.ts";

/** For the account, over all that has to be said for it. */
const OPEN_TIMEOUT_MS = 120_000;

/** What an {@link AcmeSession} works with. */
export interface AcmeSessionOptions {
  readonly config: AcmeConfig;
  readonly store: IssuanceStore;
  readonly readFile: ReadFile;
  readonly userAgent: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Opened {
  readonly client: AcmeClient;
  readonly http: AcmeHttp;
}

/** The account at the configured authority: the one that the database knows, or a new one. */
export class AcmeSession implements AsyncDisposable {
  readonly #options: AcmeSessionOptions;
  readonly #closing = new AbortController();
  #opened: Promise<Opened> | undefined;

  constructor(options: AcmeSessionOptions) {
    this.#options = options;
  }

  /**
   * The account's client; made once.
   *
   * @throws {AcmeError} if there is no account, and the authority gives none.
   */
  async open(): Promise<AcmeClient> {
    // Under a time of its own: whoever gives up an order leaves the others the account.
    const signals = [this.#closing.signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)];
    this.#opened ??= this.#connect(AbortSignal.any(signals));
    try {
      return (await this.#opened).client;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }

  /** The authority does not know the account any more: the next {@link open} asks for another one. */
  async forgetAccount(): Promise<void> {
    const { store, config: { directory } } = this.#options;
    await this.#close();
    const account = store.account(directory);
    if (account === undefined) return;
    await store.setAccount(directory, { ...account, url: "" }).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#close();
  }

  async #close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    opened?.http[Symbol.dispose]();
  }

  async #connect(signal: AbortSignal): Promise<Opened> {
    const { config, store, readFile, userAgent, now } = this.#options;
    const { directory, email, agreeTos: agreesTos, caCert, eabKid, eabKeyFile } = config;
    const text = async (path: string) => new TextDecoder().decode(await readFile(path));
    const caPem = caCert === undefined ? undefined : await text(caCert);
    const http = new AcmeHttp({ caPem, userAgent, now });
    try {
      const account = store.account(directory);
      const key = account === undefined ? await generateKey() : await importKeyPem(account.keyPem);
      const keyPem = await exportKeyPem(key);
      // Before the authority knows it: an account whose key is lost is no account.
      if (account === undefined) await store.setAccount(directory, { url: "", keyPem });
      const url = account?.url === "" ? undefined : account?.url;
      const client = new AcmeClient({ http, directory, key, account: url });
      if (url === undefined) {
        const external = eabKid === undefined || eabKeyFile === undefined
          ? undefined
          : { kid: eabKid, hmacKey: await text(eabKeyFile) };
        const found = await client.register({ email, agreesTos, external, signal });
        await store.setAccount(directory, { url: found, keyPem });
      }
      return { client, http };
    } catch (error) {
      http[Symbol.dispose]();
      throw error;
    }
  }
}
