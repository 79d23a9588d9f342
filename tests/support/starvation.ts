/**
 * Taking the processor away from a process, as a starved machine does: by the bandwidth of a control
 * group, which takes it from nobody else, or by busy loops beside a group of the least weight.
 *
 * @module
 */
import { join } from "node:path";
import { runCommand } from "./commands.ts";

/** The hierarchies of both versions of control groups that limit processor time. */
const V1 = "/sys/fs/cgroup/cpu";
const V2 = "/sys/fs/cgroup";
/** The longest period: so long does nothing run at a stretch. */
const PERIOD_US = 1_000_000;
/** Of 1,024 that others have in version 1, of 100 in version 2. */
const LEAST_WEIGHT = "2";

/** Whether this user may limit processor time here. */
export const CAN_STARVE: boolean = (() => {
  try {
    using _group = createGroup("probe", { quotaUs: 1000 });
    return true;
  } catch {
    return false;
  }
})();

/**
 * Lets the data-plane threads of a process run for so much of every second. Where the kernel cannot
 * tell threads apart here (version 2), all of the process's. Disposing of it gives them all there is.
 */
export async function starveWorkers(
  pid: number,
  { milliseconds }: { readonly milliseconds: number },
): Promise<Disposable> {
  const group = createGroup(`${pid}`, { quotaUs: milliseconds * 1000 });
  await enterGroup(group, pid);
  return group;
}

/**
 * Lets so many loops spin on one core, confines a process to it, and gives its data-plane threads, or
 * where the kernel cannot tell threads apart all of it, the least weight that there is. Disposing of
 * it ends the loops and the difference.
 */
export async function outweighWorkers(
  pid: number,
  { loops }: { readonly loops: number },
): Promise<AsyncDisposable> {
  const core = `${navigator.hardwareConcurrency - 1}`;
  const hogs = Array.from({ length: loops }, () =>
    new Deno.Command("taskset", {
      args: ["-c", core, "sh", "-c", "while :; do :; done"],
      stdin: "null",
    }).spawn());
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    for (const hog of hogs) hog.kill("SIGKILL");
    await Promise.all(hogs.map((hog) => hog.status));
  });
  const group = stack.use(createGroup(`${pid}`, "lightest"));
  await enterGroup(group, pid);
  await confine(pid, core);
  stack.defer(() => confine(pid, `0-${core}`));
  return stack.move();
}

async function confine(pid: number, cores: string): Promise<void> {
  const { code, stderr } = await runCommand("taskset", ["-a", "-c", "-p", cores, `${pid}`]);
  if (code !== 0) throw new Error(stderr);
}

async function enterGroup(group: Group, pid: number): Promise<void> {
  if (!group.hasThreads) {
    await Deno.writeTextFile(join(group.path, "cgroup.procs"), `${pid}`);
    return;
  }
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const thread = await Deno.readTextFile(`/proc/${pid}/task/${name}/comm`);
    if (thread.startsWith("worker-")) await Deno.writeTextFile(join(group.path, "tasks"), name);
  }
}

interface Group extends Disposable {
  readonly path: string;
  readonly hasThreads: boolean;
}

function createGroup(name: string, limit: { readonly quotaUs: number } | "lightest"): Group {
  const hasThreads = exists(join(V1, "cpu.cfs_quota_us")) || exists(join(V1, "tasks"));
  const parent = hasThreads ? V1 : V2;
  const path = join(parent, `mc-proxy-test-${Deno.pid}-${name}`);
  Deno.mkdirSync(path);
  try {
    if (limit === "lightest") {
      Deno.writeTextFileSync(join(path, hasThreads ? "cpu.shares" : "cpu.weight"), LEAST_WEIGHT);
    } else if (hasThreads) {
      Deno.writeTextFileSync(join(path, "cpu.cfs_period_us"), `${PERIOD_US}`);
      Deno.writeTextFileSync(join(path, "cpu.cfs_quota_us"), `${limit.quotaUs}`);
    } else Deno.writeTextFileSync(join(path, "cpu.max"), `${limit.quotaUs} ${PERIOD_US}`);
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
  return {
    path,
    hasThreads,
    [Symbol.dispose]() {
      const list = hasThreads ? "tasks" : "cgroup.procs";
      // Threads of it may start others, and end, while they are moved.
      for (let left = members(path, list); left.length > 0; left = members(path, list)) {
        for (const id of left) moveTo(join(parent, list), id);
      }
      Deno.removeSync(path);
    },
  };
}

function members(path: string, list: string): string[] {
  return Deno.readTextFileSync(join(path, list)).split("\n").filter((id) => id !== "");
}

/** A thread that has ended cannot be moved, and need not be. */
function moveTo(list: string, id: string): void {
  try {
    Deno.writeTextFileSync(list, id);
  } catch (error) {
    if (!(error instanceof Error) || !/ESRCH|No such process/.test(error.message)) throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
