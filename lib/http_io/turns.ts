import { Flushes } from "./flushes.ts";
import { ReadCopies } from "./read_copies.ts";

/** Work on input that may have to wait, of one connection. */
export interface Task {
  /** Does a small piece of the work; `false`: nothing is left. */
  step(): boolean;
}

/** What one turn of the event loop may spend on input, in milliseconds. */
const TURN_MS = 10;
/** What one connection may spend of it before the others have had theirs, in milliseconds. */
const SHARE_MS = 2;

/**
 * Shares the turns of a thread among its connections. 64 KiB of small requests cost hundreds of
 * milliseconds, and many peers may send as much at once; heartbeats, timers and everybody else wait
 * that long. So work is done in steps: at once while this turn has time left, the rest in later
 * turns, where everybody who waits gets a share in order.
 */
export class Turns {
  /** What is written at the end of a turn. */
  readonly flushes = new Flushes();
  /** Memory for what was read. */
  readonly copies = new ReadCopies();
  readonly #clock: () => number;
  readonly #later: (run: () => void) => void;
  readonly #waiting: Task[] = [];
  /** What each had of this turn: input comes in many pieces, and all of them are one connection's. */
  readonly #had = new Map<Task, number>();
  #spentMs = 0;
  #armed = false;

  /** `clock` in milliseconds; `later` calls back in another turn of the event loop. */
  constructor(
    clock: () => number = () => performance.now(),
    later: (run: () => void) => void = setImmediate,
  ) {
    this.#clock = clock;
    this.#later = later;
  }

  /** Tasks that wait for a turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Works on `task` now or, when this turn is used up or others wait, later. */
  run(task: Task): void {
    if (this.#mustWait(task) || this.#share(task)) this.#waiting.push(task);
    if (this.#waiting.length > 0 || this.#spentMs >= SHARE_MS) this.#arm();
  }

  #mustWait(task: Task): boolean {
    return this.#waiting.length > 0 || this.#spentMs >= TURN_MS ||
      (this.#had.get(task) ?? 0) >= SHARE_MS;
  }

  /** Whether something is left of the task after its share. */
  #share(task: Task): boolean {
    const start = this.#clock();
    const had = this.#had.get(task) ?? 0;
    let spent = 0;
    let more = true;
    while (more && had + spent < SHARE_MS) {
      more = task.step();
      spent = this.#clock() - start;
    }
    this.#spentMs += spent;
    this.#had.set(task, had + spent);
    return more;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#later(() => this.#turn());
  }

  #turn(): void {
    this.#armed = false;
    this.#spentMs = 0;
    this.#had.clear();
    try {
      for (let left = this.#waiting.length; left > 0 && this.#spentMs < TURN_MS; left--) {
        const task = this.#waiting.shift() as Task;
        if (this.#share(task)) this.#waiting.push(task);
      }
    } finally {
      if (this.#waiting.length > 0) this.#arm();
    }
  }
}
