import { createHash, randomBytes } from "node:crypto";
import type { TokenRow } from "../dns_store/mod.ts";
import { invalid, missing, present } from "../queue/mod.ts";
import { isPrintable } from "../schema/mod.ts";
import { Access } from "./access.ts";
import type { DnsOperation } from "./operation.ts";
import type { ServedZones } from "./served_zones.ts";

/** A token as callers see it; what it is was shown once. */
export type TokenView = Omit<TokenRow, "hash" | "id">;

/** A new token. */
export interface NewToken {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Milliseconds from now; absent: it never ends. */
  readonly ttlMs?: number | undefined;
}

const MAX_TOKENS = 1000;
const MAX_SCOPES = 64;
const MAX_NAME_CHARACTERS = 64;
/** A secret that nobody guesses, and a prefix by which a leaked one is found. */
const SECRET_BYTES = 32;
const PREFIX = "mcns_";

/** Tokens that let in at the API. */
export class TokenChanges {
  readonly #served: ServedZones;

  constructor(served: ServedZones) {
    this.#served = served;
  }

  list(): TokenView[] {
    return this.#rows().map(({ hash: _, id: __, ...view }) => view);
  }

  /** What the token with this SHA-256 (hexadecimal) may do; nothing if there is none or it is over. */
  accessOf(hash: string): { readonly name: string; readonly access: Access } | undefined {
    const row = this.#rows().find((token) => token.hash === hash);
    if (row === undefined || (row.expiresAt ?? Infinity) <= this.#served.now()) return undefined;
    const access = Access.of(row.scopes);
    return access && { name: row.name, access };
  }

  /**
   * Makes a token.
   *
   * @returns what nobody can be shown again.
   * @throws {RefusedError} `invalid_argument`, `already_exists`
   */
  async add(
    { name, scopes, ttlMs }: NewToken,
    operation: DnsOperation,
  ): Promise<{ readonly secret: string; readonly token: TokenView }> {
    if (name === "" || name.length > MAX_NAME_CHARACTERS || !isPrintable(name)) {
      throw invalid("name", `not 1 to ${MAX_NAME_CHARACTERS} characters that can be seen`);
    }
    if (scopes.length === 0 || scopes.length > MAX_SCOPES) {
      throw invalid("scopes", `not 1 to ${MAX_SCOPES} of them`);
    }
    for (const [i, scope] of scopes.entries()) {
      if (Access.of([scope]) !== undefined) continue;
      throw invalid(`scopes[${i}]`, "not admin, read:ZONE or write:ZONE");
    }
    if (ttlMs !== undefined && !(ttlMs > 0)) throw invalid("ttl", "not a time to come");
    const secret = `${PREFIX}${randomBytes(SECRET_BYTES).toString("base64url")}`;
    const createdAt = this.#served.now();
    const token = {
      ...{ name, hash: hashOf(secret), scopes: [...scopes], createdAt },
      ...ttlMs !== undefined && { expiresAt: createdAt + ttlMs },
    };
    return await this.#served.exclusive(async () => {
      const { database } = this.#served;
      const rows = this.#rows();
      if (rows.length >= MAX_TOKENS) {
        throw invalid("name", `there are ${MAX_TOKENS} tokens already`);
      }
      if (rows.some((other) => other.name === name)) throw present(`the token ${name}`);
      const { hash: _, ...view } = token;
      await this.#served.commit({
        rows: 1,
        write: function* () {
          database.tokens.add(token);
          const after = JSON.stringify(view);
          database.audit.add({
            ...author(operation, createdAt),
            subject: `token ${name}`,
            before: "",
            after,
          });
          yield;
        },
      }, operation);
      return { secret, token: view };
    }, operation.signal);
  }

  /** Removes a token; it lets nobody in any more when this resolves. */
  remove(name: string, operation: DnsOperation): Promise<void> {
    return this.#served.exclusive(async () => {
      const { database } = this.#served;
      const row = this.#rows().find((token) => token.name === name);
      if (row === undefined) throw missing(`the token ${JSON.stringify(name.slice(0, 64))}`);
      const { hash: _, id, ...view } = row;
      const time = this.#served.now();
      await this.#served.commit({
        rows: 1,
        write: function* () {
          database.tokens.remove(id);
          const before = JSON.stringify(view);
          database.audit.add({
            ...author(operation, time),
            subject: `token ${name}`,
            before,
            after: "",
          });
          yield;
        },
      }, operation);
    }, operation.signal);
  }

  #rows(): TokenRow[] {
    return this.#served.database.tokens.list();
  }
}

function author({ actor, action }: DnsOperation, time: number) {
  return { actor, action, time };
}

/** SHA-256, hexadecimal. A token is random and long: nothing slower is needed against guessing. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
