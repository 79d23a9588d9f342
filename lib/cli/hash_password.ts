import { randomBytes, scrypt } from "node:crypto";
import { formatPasswordHash, USUAL_COST } from "../state/mod.ts";
import { CommandError } from "./command_error.ts";

/** In octets; scrypt takes any number, a request's field does not. */
const MAX_PASSWORD = 512;
const SALT_OCTETS = 16;
const HASH_OCTETS = 32;

/**
 * `hash-password`: what stands for a password in `basic_auth`. The password comes from the standard
 * input: without an echo from a terminal, up to the first line end from anything else. Never from
 * the command line, which everybody on the machine can read.
 *
 * @throws {CommandError}
 */
export async function runHashPassword(): Promise<string> {
  const password = Deno.stdin.isTerminal() ? await askTwice() : await readLine();
  if (password.length === 0) throw new CommandError("the password is empty");
  if (password.length > MAX_PASSWORD) {
    throw new CommandError(`the password is over ${MAX_PASSWORD} octets`);
  }
  return await hashPassword(password);
}

/** The hash of a password, with a salt of its own. */
export function hashPassword(password: Uint8Array): Promise<string> {
  const { log2, blockSize, parallelization } = USUAL_COST;
  const cost = 2 ** log2;
  const salt = randomBytes(SALT_OCTETS);
  const options = { cost, blockSize, parallelization, maxmem: 256 * cost * blockSize };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_OCTETS, options, (error, hash) => {
      if (error !== null) return reject(error);
      resolve(formatPasswordHash({ cost, blockSize, parallelization, salt, hash }));
    });
  });
}

async function askTwice(): Promise<Uint8Array> {
  const first = await ask("Password: ");
  const second = await ask("Once more: ");
  if (new TextDecoder().decode(first) !== new TextDecoder().decode(second)) {
    throw new CommandError("the two passwords differ");
  }
  return first;
}

/** Keys that a terminal sends one by one while it does not echo. */
const KEYS = { enter: 13, newline: 10, backspace: 127, erase: 8, interrupt: 3, end: 4 } as const;

async function ask(prompt: string): Promise<Uint8Array> {
  const say = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  say(prompt);
  Deno.stdin.setRaw(true);
  try {
    const typed: number[] = [];
    const buffer = new Uint8Array(256);
    for (;;) {
      const count = await Deno.stdin.read(buffer);
      if (count === null) return Uint8Array.from(typed);
      for (const key of buffer.subarray(0, count)) {
        if (key === KEYS.enter || key === KEYS.newline || key === KEYS.end) {
          return Uint8Array.from(typed);
        }
        if (key === KEYS.interrupt) throw new CommandError("interrupted");
        if (key === KEYS.backspace || key === KEYS.erase) dropLast(typed);
        else typed.push(key);
      }
      if (typed.length > MAX_PASSWORD) return Uint8Array.from(typed);
    }
  } finally {
    Deno.stdin.setRaw(false);
    say("\n");
  }
}

/** The last character, of one octet or several (UTF-8). */
function dropLast(typed: number[]): void {
  while (((typed.pop() ?? 0) & 0xc0) === 0x80);
}

async function readLine(): Promise<Uint8Array> {
  const read: number[] = [];
  const buffer = new Uint8Array(MAX_PASSWORD + 2);
  while (read.length <= MAX_PASSWORD + 1) {
    const count = await Deno.stdin.read(buffer);
    if (count === null) break;
    read.push(...buffer.subarray(0, count));
    if (read.includes(KEYS.newline)) break;
  }
  const end = read.indexOf(KEYS.newline);
  const line = end < 0 ? read : read.slice(0, end);
  if (line.at(-1) === KEYS.enter) line.pop();
  return Uint8Array.from(line);
}
