import { randomUUID } from "node:crypto";
import { DatabaseError } from "./errors.ts";
import { releaseFileLock } from "./file_lock.ts";
import type { Statements } from "./statements.ts";

const SQL = {
  read: "SELECT writer, previous FROM identity",
  // One that died half-way is not the one to give back to.
  claim: `UPDATE identity SET writer = ?1,
    previous = CASE previous WHEN '' THEN writer ELSE previous END`,
  confirm: "UPDATE identity SET previous = '' WHERE writer = ?",
  giveBack: `UPDATE identity SET writer = previous, previous = ''
    WHERE writer = ? AND previous <> ''`,
  takeBack: `UPDATE identity SET writer = previous, previous = ''
    WHERE previous = ? AND writer = ?`,
} as const;

/** Who may write: this process, one that takes over and may still fail, or one that has. */
export type RoleState = "ours" | "being_taken" | "taken";

/**
 * Which one of several processes writes a database, decided in the database itself: each transaction
 * looks under its own lock. A process that takes over claims the role before it reads the state, so
 * that nothing can be acknowledged which it does not know of; it confirms when it serves, and gives
 * the role back when it fails. For one that is killed in between, its lock on a file tells.
 */
export class WriteRole implements Disposable {
  readonly #token = randomUUID();
  readonly #statements: Statements;
  readonly #lockPath: string;
  #lock: Deno.FsFile | undefined;
  #isClaimed = false;

  /** @param lockPath a file that exists while there is something to take over. */
  constructor(statements: Statements, lockPath: string) {
    this.#statements = statements;
    this.#lockPath = lockPath;
  }

  /**
   * Takes the role; from here on transactions of other processes are refused.
   *
   * @throws {DatabaseError} `locked` if another process is taking over right now.
   */
  claim(): void {
    this.#lock = this.#tryLock();
    if (this.#lock === undefined && this.#lockExists()) {
      throw new DatabaseError("locked", "another process is taking the database over");
    }
    this.#statements.run("cannot take the database over", () => {
      this.#statements.write(SQL.claim, [this.#token]);
    });
    this.#isClaimed = true;
  }

  /**
   * Keeps the role for good.
   *
   * @throws {DatabaseError} `not_writer` if it was taken back.
   */
  confirm(): void {
    if (!this.#isClaimed) return;
    this.#statements.run("cannot take the database over", () => {
      if (this.#statements.write(SQL.confirm, [this.#token]) === 0) throw notWriter();
    });
    this.#unlock();
  }

  /** Gives the role back to the process that it was taken from, unless it was confirmed. */
  giveBack(): void {
    if (!this.#isClaimed) return;
    this.#isClaimed = false;
    try {
      this.#statements.write(SQL.giveBack, [this.#token]);
    } catch {
      // The other process finds out by the lock, which goes with us.
    } finally {
      this.#unlock();
    }
  }

  /** Who has the role now; a process that never claimed it is in nobody's way. */
  look(): RoleState {
    if (!this.#isClaimed) return "ours";
    const { writer, previous } = this.#read();
    if (writer === this.#token) return "ours";
    return previous === this.#token ? "being_taken" : "taken";
  }

  /** Takes the role back from a process that claimed it and died; whether that was so. */
  takeBack(): boolean {
    const { writer, previous } = this.#read();
    if (previous !== this.#token) return false;
    const lock = this.#tryLock();
    if (lock === undefined) return false; // It lives.
    try {
      return this.#statements.run("cannot take the database back", () => {
        return this.#statements.write(SQL.takeBack, [this.#token, writer]) > 0;
      });
    } finally {
      releaseFileLock(lock);
    }
  }

  /**
   * Within a transaction, or before one to save it.
   *
   * @throws {DatabaseError} `not_writer`
   */
  check(): void {
    if (this.look() !== "ours") throw notWriter();
  }

  [Symbol.dispose](): void {
    this.giveBack();
  }

  #read(): { writer: string; previous: string } {
    return this.#statements.run("cannot read who writes the database", () => {
      const row = this.#statements.get(SQL.read);
      return { writer: String(row?.writer), previous: String(row?.previous) };
    });
  }

  /** The lock, if nobody holds it; flock(2) goes with the process that holds it. */
  #tryLock(): Deno.FsFile | undefined {
    let file: Deno.FsFile | undefined;
    try {
      file = Deno.openSync(this.#lockPath, { read: true, write: true });
      if (file.tryLockSync(true)) return file;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    file?.close();
    return undefined;
  }

  #lockExists(): boolean {
    try {
      return Deno.statSync(this.#lockPath).isFile;
    } catch {
      return false;
    }
  }

  #unlock(): void {
    if (this.#lock !== undefined) releaseFileLock(this.#lock);
    this.#lock = undefined;
  }
}

function notWriter(): DatabaseError {
  return new DatabaseError("not_writer", "another process has taken the database over");
}
