import {
  AcmeClient,
  AcmeError,
  AcmeHttp,
  exportKeyPem,
  generateKey,
  importKeyPem,
} from "../acme/mod.ts";
import type { AcmeAccount } from "../db/mod.ts";
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
  /** Of an account that is used no more, but for what was begun with it. */
  readonly #retired: Promise<Opened>[] = [];

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

  /** The account is another one: the next {@link open} opens that. What is under way goes on. */
  retire(): void {
    if (this.#opened !== undefined) this.#retired.push(this.#opened);
    this.#opened = undefined;
  }

  /** The authority does not know the account any more: the next {@link open} asks for another one. */
  async forgetAccount(): Promise<void> {
    const { store, config: { directory } } = this.#options;
    await this.#close();
    const account = store.account(directory);
    if (account === undefined) return;
    await store.setAccount(directory, { ...account, url: "" }).catch(() => {});
  }

  /**
   * Gives the account another key (RFC 8555 §7.3.5). The new one is kept before the authority hears of
   * it: whoever starts after a crash asks it which of the two it knows.
   *
   * @throws {AcmeError} if the authority does not take it: the old key stays, unless nobody can say.
   */
  async rollKey(actor: string): Promise<string> {
    const { store, config: { directory }, now } = this.#options;
    const client = await this.open();
    const account = store.account(directory);
    if (account === undefined) throw new AcmeError("failed", "there is no account yet");
    const next = await generateKey();
    const nextKeyPem = await exportKeyPem(next);
    await store.setAccount(directory, { ...account, nextKeyPem });
    try {
      await client.rollKey(next, { signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) });
    } catch (error) {
      // Refused in so many words; whatever else went wrong, the next look at the account settles it.
      const { code, status = 0 } = error instanceof AcmeError ? error : {};
      if (code === "refused" && status >= 400 && status < 500) {
        await store.setAccount(directory, account);
      } else {
        await this.#close();
      }
      throw error;
    }
    const rolled = { url: account.url, keyPem: nextKeyPem, nextKeyPem: "" };
    await store.setRolledKey(directory, rolled, { actor, time: now() });
    return account.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#close();
    for (const opened of await Promise.allSettled(this.#retired)) {
      if (opened.status === "fulfilled") opened.value.http[Symbol.dispose]();
    }
  }

  async #close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    opened?.http[Symbol.dispose]();
  }

  /** The account after a change of its key that was cut off: the authority says how far it came. */
  async #settled(
    account: AcmeAccount | undefined,
    { http, signal }: { readonly http: AcmeHttp; readonly signal: AbortSignal },
  ): Promise<AcmeAccount | undefined> {
    if (account === undefined || account.nextKeyPem === "") return account;
    const { store, config: { directory } } = this.#options;
    const key = await importKeyPem(account.nextKeyPem);
    const url = await new AcmeClient({ http, directory, key }).findAccount({ signal });
    const settled = url === undefined
      ? { ...account, nextKeyPem: "" }
      : { url, keyPem: account.nextKeyPem, nextKeyPem: "" };
    await store.setAccount(directory, settled);
    return settled;
  }

  async #connect(signal: AbortSignal): Promise<Opened> {
    const { config, store, readFile, userAgent, now } = this.#options;
    const { directory, email, agreeTos: agreesTos, caCert, eabKid, eabKeyFile } = config;
    const text = async (path: string) => new TextDecoder().decode(await readFile(path));
    const caPem = caCert === undefined ? undefined : await text(caCert);
    const http = new AcmeHttp({ caPem, userAgent, now });
    try {
      const account = await this.#settled(store.account(directory), { http, signal });
      const key = account === undefined ? await generateKey() : await importKeyPem(account.keyPem);
      const keyPem = await exportKeyPem(key);
      // Before the authority knows it: an account whose key is lost is no account.
      if (account === undefined) {
        await store.setAccount(directory, { url: "", keyPem, nextKeyPem: "" });
      }
      const url = account?.url === "" ? undefined : account?.url;
      const client = new AcmeClient({ http, directory, key, account: url });
      // A database that was restored may hold a key that the authority knows no more.
      if (url === undefined || await client.findAccount({ signal }) === undefined) {
        const external = eabKid === undefined || eabKeyFile === undefined
          ? undefined
          : { kid: eabKid, hmacKey: await text(eabKeyFile) };
        const found = await client.register({ email, agreesTos, external, signal });
        await store.setAccount(directory, { url: found, keyPem, nextKeyPem: "" });
      }
      return { client, http };
    } catch (error) {
      http[Symbol.dispose]();
      throw error;
    }
  }
}
