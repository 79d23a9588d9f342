import { describeError, type LogSink } from "../observe/mod.ts";
import { InheritedSockets } from "../tcp/mod.ts";
import { CommandError } from "./command_error.ts";
import { readVariable } from "../service/mod.ts";

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_FD = 3;
/** One for each listener: a larger number is a mistake. */
const MAX_FDS = 256;

/** What a service manager says of the sockets that it passes. */
export interface ActivationEnvironment {
  /** `LISTEN_PID`: for whom they are. */
  readonly pid: string | undefined;
  /** `LISTEN_FDS`: how many. */
  readonly fds: string | undefined;
}

/**
 * The listening sockets that the service manager has passed; undefined if there are none.
 *
 * @throws {CommandError} if what was passed cannot be listened on.
 */
export function inheritedSockets(
  environment: ActivationEnvironment = {
    pid: readVariable("LISTEN_PID"),
    fds: readVariable("LISTEN_FDS"),
  },
): InheritedSockets | undefined {
  const count = countOf(environment);
  if (count === 0) return undefined;
  try {
    return new InheritedSockets(Array.from({ length: count }, (_, i) => FIRST_FD + i));
  } catch (error) {
    const message = `the sockets of the service manager cannot be used: ${describeError(error)}`;
    throw new CommandError(message, { cause: error });
  }
}

/** A socket that nobody accepts from lets its clients wait forever. */
export function warnOfUnused(
  inherited: InheritedSockets | undefined,
  { listeners, log }: {
    readonly listeners: readonly { readonly host: string; readonly port: number }[];
    readonly log: LogSink;
  },
): void {
  if (inherited === undefined) return;
  for (const { host, port } of inherited.unusedBy(listeners)) {
    const message = "a socket of the service manager belongs to no listener, its clients hang";
    log({ level: "warn", message, fields: { host, port } });
  }
}

/** How many there are; those of another process are not ours. */
export function countOf({ pid, fds }: ActivationEnvironment): number {
  if (pid !== String(Deno.pid) || fds === undefined || !/^[0-9]{1,9}$/.test(fds)) return 0;
  const count = Number(fds);
  if (count > MAX_FDS) throw new CommandError(`LISTEN_FDS: ${count} sockets are over ${MAX_FDS}`);
  return count;
}
