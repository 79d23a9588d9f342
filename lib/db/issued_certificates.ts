import type { Row, Statements } from "../sqlite/mod.ts";

const SQL = {
  account: "SELECT url, key_pem, next_key_pem FROM acme_accounts WHERE directory = ?",
  setAccount: `INSERT INTO acme_accounts (directory, url, key_pem, next_key_pem)
    VALUES (?, ?, ?, ?)
    ON CONFLICT (directory) DO UPDATE SET url = excluded.url, key_pem = excluded.key_pem,
      next_key_pem = excluded.next_key_pem`,
  certificates: "SELECT * FROM acme_certificates ORDER BY name",
  setCertificate: `INSERT INTO acme_certificates
      (name, directory, cert_pem, key_pem, issued_at, renew_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET directory = excluded.directory, cert_pem = excluded.cert_pem,
      key_pem = excluded.key_pem, issued_at = excluded.issued_at, renew_at = excluded.renew_at`,
  removeCertificate: "DELETE FROM acme_certificates WHERE name = ?",
  setRenewal: "UPDATE acme_certificates SET renew_at = ? WHERE name = ?",
  orders: "SELECT * FROM acme_orders ORDER BY name",
  setOrder: `INSERT INTO acme_orders
      (name, directory, url, key_pem, failures, next_at, last_error, proof_type, proof_token,
        key_authorization) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET directory = excluded.directory, url = excluded.url,
      key_pem = excluded.key_pem, failures = excluded.failures, next_at = excluded.next_at,
      last_error = excluded.last_error, proof_type = excluded.proof_type,
      proof_token = excluded.proof_token, key_authorization = excluded.key_authorization`,
  removeOrder: "DELETE FROM acme_orders WHERE name = ?",
  addAttempt: "INSERT INTO acme_attempts (name, time) VALUES (?, ?)",
  forgetAttempts: "DELETE FROM acme_attempts WHERE time < ?",
  attempts: "SELECT name, time FROM acme_attempts WHERE time >= ? ORDER BY time",
} as const;

/** An account at an authority; the key is secret. */
export interface AcmeAccount {
  /** Empty: the key has none yet. */
  readonly url: string;
  readonly keyPem: string;
  /**
   * The key that it goes over to: the authority may know this one already, or that one still. Empty: it
   * goes nowhere.
   */
  readonly nextKeyPem: string;
}

/** A certificate from an authority; the key is secret. Times are milliseconds since 1970. */
export interface IssuedCertificate {
  readonly name: string;
  /** Of the authority that issued it. */
  readonly directory: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly issuedAt: number;
  readonly renewAt: number;
}

/** How the order of a name stands; the key is secret. */
export interface AcmeOrder {
  readonly name: string;
  readonly directory: string;
  /** Empty: there is none to go on with. */
  readonly url: string;
  /** Of the certificate that is ordered. */
  readonly keyPem: string;
  /** In a row. */
  readonly failures: number;
  /** When it may be tried again, in milliseconds since 1970. */
  readonly nextAt: number;
  readonly lastError: string;
  /** What an authority may be about to look for. */
  readonly proof?: KeptProof | undefined;
}

/** What proves a name, for whoever goes on with its order. */
export interface KeptProof {
  /** `tls-alpn-01` and the like. */
  readonly type: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

/** Certificates from an authority, and what is needed to get them. Written in transactions of the caller's. */
export class IssuedCertificates {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  account(directory: string): AcmeAccount | undefined {
    return this.#statements.run("cannot read the account at the authority", () => {
      const row = this.#statements.get(SQL.account, [directory]);
      return row && {
        url: String(row.url),
        keyPem: String(row.key_pem),
        nextKeyPem: String(row.next_key_pem),
      };
    });
  }

  setAccount(directory: string, { url, keyPem, nextKeyPem }: AcmeAccount): void {
    this.#write("cannot write the account", SQL.setAccount, [directory, url, keyPem, nextKeyPem]);
  }

  list(): IssuedCertificate[] {
    return this.#statements.run("cannot read the certificates", () => {
      return this.#statements.all(SQL.certificates).map(toCertificate);
    });
  }

  set({ name, directory, certPem, keyPem, issuedAt, renewAt }: IssuedCertificate): void {
    const values = [name, directory, certPem, keyPem, Math.trunc(issuedAt), Math.trunc(renewAt)];
    this.#write("cannot write a certificate", SQL.setCertificate, values);
  }

  remove(name: string): void {
    this.#write("cannot remove a certificate", SQL.removeCertificate, [name]);
  }

  setRenewal(name: string, renewAt: number): void {
    this.#write("cannot write a renewal", SQL.setRenewal, [Math.trunc(renewAt), name]);
  }

  orders(): AcmeOrder[] {
    return this.#statements.run("cannot read the orders", () => {
      return this.#statements.all(SQL.orders).map(toOrder);
    });
  }

  setOrder(order: AcmeOrder): void {
    const { name, directory, url, keyPem, failures, nextAt, lastError, proof } = order;
    const { type = "", token = "", keyAuthorization = "" } = proof ?? {};
    const values = [
      ...[name, directory, url, keyPem, failures, Math.trunc(nextAt), lastError],
      ...[type, token, keyAuthorization],
    ];
    this.#write("cannot write an order", SQL.setOrder, values);
  }

  removeOrder(name: string): void {
    this.#write("cannot remove an order", SQL.removeOrder, [name]);
  }

  /** Notes an attempt, and forgets those before `since`. */
  addAttempt(
    name: string,
    { time, since }: { readonly time: number; readonly since: number },
  ): void {
    this.#write("cannot note an attempt", SQL.forgetAttempts, [Math.trunc(since)]);
    this.#write("cannot note an attempt", SQL.addAttempt, [name, Math.trunc(time)]);
  }

  /** Of all names, the oldest first. */
  attempts(since: number): { readonly name: string; readonly time: number }[] {
    return this.#statements.run("cannot read the attempts", () => {
      return this.#statements.all(SQL.attempts, [Math.trunc(since)])
        .map((row) => ({ name: String(row.name), time: Number(row.time) }));
    });
  }

  #write(action: string, sql: string, values: readonly (string | number)[]): void {
    this.#statements.run(action, () => void this.#statements.write(sql, values));
  }
}

function toCertificate(row: Row): IssuedCertificate {
  return {
    name: String(row.name),
    directory: String(row.directory),
    certPem: String(row.cert_pem),
    keyPem: String(row.key_pem),
    issuedAt: Number(row.issued_at),
    renewAt: Number(row.renew_at),
  };
}

function toOrder(row: Row): AcmeOrder {
  return {
    name: String(row.name),
    directory: String(row.directory),
    url: String(row.url),
    keyPem: String(row.key_pem),
    failures: Number(row.failures),
    nextAt: Number(row.next_at),
    lastError: String(row.last_error),
    ...row.proof_type !== "" && {
      proof: {
        type: String(row.proof_type),
        token: String(row.proof_token),
        keyAuthorization: String(row.key_authorization),
      },
    },
  };
}
