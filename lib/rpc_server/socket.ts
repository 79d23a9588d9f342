import { randomBytes } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, type Stats, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { answers } from "../service/mod.ts";

/** The owner may connect, nobody else. */
const SOCKET_MODE = 0o600;

/** `sun_path` of unix(7) has 108 octets, the final NUL included. */
const MAX_PATH_BYTES = 107;

/** What keeps the admin socket from being made. */
export type AdminSocketErrorCode =
  | "directory_missing"
  | "directory_writable"
  | "in_use"
  | "not_a_socket"
  | "path_too_long"
  | "cannot_bind";

/** The admin socket cannot be made; the message says why and what to do. */
export class AdminSocketError extends Error {
  override readonly name = "AdminSocketError";
  readonly code: AdminSocketErrorCode;

  constructor(code: AdminSocketErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A socket that was made; disposing of it removes its file, if it is still the same. */
export interface BoundSocket extends Disposable {
  readonly path: string;
  /** The user that owns the file: beside root the only one who may connect. */
  readonly owner: number;
  /** Whether the path still names it. */
  isInPlace(): boolean;
}

/**
 * Makes a Unix socket that only its owner may open, at no moment anybody else: it is bound in a
 * directory of mode 0700 and gets its name when it has its mode. (Setting the umask instead would
 * take a permission that the program does without.) A socket left by a process that died is
 * replaced, one on which somebody answers only with `takeOver`; whoever had it open keeps it open.
 *
 * @param bind binds a socket at the path it is given.
 * @throws {AdminSocketError}
 */
export async function bindPrivately(
  path: string,
  bind: (path: string) => Promise<void>,
  { takeOver = false }: { readonly takeOver?: boolean } = {},
): Promise<BoundSocket> {
  const target = resolve(path);
  checkDirectory(dirname(target));
  await checkTarget(target, takeOver);
  const privateFolder = join(dirname(target), `.${randomBytes(3).toString("hex")}`);
  const boundPath = join(privateFolder, "s");
  if (new TextEncoder().encode(boundPath).length > MAX_PATH_BYTES) {
    const message = `${target}: the directory's name is too long for a Unix socket`;
    throw new AdminSocketError("path_too_long", message);
  }
  try {
    mkdirSync(privateFolder, { mode: 0o700 });
    await bind(boundPath);
    chmodSync(boundPath, SOCKET_MODE);
    const { ino, uid } = lstatSync(boundPath);
    renameSync(boundPath, target);
    return {
      path: target,
      owner: uid,
      isInPlace: () => lookUp(target)?.ino === ino,
      [Symbol.dispose]: () => removeSame(target, ino),
    };
  } catch (cause) {
    throw new AdminSocketError("cannot_bind", `cannot make the admin socket ${target}`, { cause });
  } finally {
    rmSync(privateFolder, { recursive: true, force: true });
  }
}

/** Whoever may write to the directory could put a socket of their own in the place of ours. */
function checkDirectory(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    const message = `the directory ${directory} of the admin socket does not exist`;
    throw new AdminSocketError("directory_missing", message);
  }
  const sticky = (found.mode & 0o1000) !== 0;
  if ((found.mode & 0o022) === 0 || sticky) return;
  const message = `others may write to the directory ${directory} of the admin socket ` +
    "and could replace it: chmod go-w";
  throw new AdminSocketError("directory_writable", message);
}

async function checkTarget(path: string, takeOver: boolean): Promise<void> {
  const found = lookUp(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    const message = `${path} exists and is not a socket: it is not ours to replace`;
    throw new AdminSocketError("not_a_socket", message);
  }
  if (!takeOver && await answers(path)) {
    const message = `another process answers on the admin socket ${path}`;
    throw new AdminSocketError("in_use", message);
  }
}

function removeSame(path: string, ino: number): void {
  if (lookUp(path)?.ino === ino) rmSync(path, { force: true });
}

/** The entry itself: a link is no socket of ours. */
function lookUp(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
