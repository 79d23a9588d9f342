import assert from "node:assert/strict";
import { type Task, Turns } from "../../../lib/http_io/mod.ts";

/** A thread whose clock moves only while somebody works. */
class Thread {
  now = 0;
  readonly #later: (() => void)[] = [];
  readonly turns = new Turns(() => this.now, (run) => this.#later.push(run));
  readonly done: string[] = [];

  /** Work of so many steps of so many milliseconds. */
  task(name: string, steps: number, stepMs: number): Task {
    return {
      step: () => {
        this.now += stepMs;
        this.done.push(name);
        return --steps > 0;
      },
    };
  }

  /** Lets the next turn come; what it cost. */
  turn(): number {
    const start = this.now;
    for (const run of this.#later.splice(0)) run();
    return this.now - start;
  }

  get idle(): boolean {
    return this.#later.length === 0;
  }
}

Deno.test("Turns.run() does small work at once", () => {
  const thread = new Thread();
  for (let i = 0; i < 10; i++) thread.turns.run(thread.task("a", 1, 0.1));
  assert.equal(thread.done.length, 10);
  assert.ok(thread.idle, "nothing is scheduled for that");
});

Deno.test("Turns.run() holds no turn longer than its measure, whatever the number of tasks", () => {
  const thread = new Thread();
  const start = thread.now;
  for (let i = 0; i < 50; i++) thread.turns.run(thread.task(`${i}`, 100, 0.5));
  let worst = thread.now - start;
  let turns = 1;
  while (!thread.idle) {
    worst = Math.max(worst, thread.turn());
    assert.ok(++turns < 1000);
  }
  assert.equal(thread.done.length, 5000, "all of it was done");
  assert.ok(worst <= 12, `a turn took ${worst} ms`);
  assert.equal(thread.turns.waiting, 0);
});

Deno.test("Turns.run() gives each connection a share before anybody gets a second one", () => {
  const thread = new Thread();
  thread.turns.run(thread.task("greedy", 1000, 1));
  for (const name of ["b", "c"]) thread.turns.run(thread.task(name, 1, 1));
  thread.turn();
  const first = thread.done.indexOf("c");
  assert.ok(first >= 0, "c had to wait for one turn only");
  assert.deepEqual(thread.done.slice(0, first + 1).filter((name) => name === "greedy").length, 4);
});

Deno.test("Turns.run() counts what comes in many pieces as one share, until the next turn", () => {
  const thread = new Thread();
  let pieces = 0;
  const task: Task = {
    step() {
      thread.now += 0.5;
      pieces++;
      return false;
    },
  };
  // Each piece is asked for when the one before it is done, as a socket does that has more.
  for (let i = 0; i < 10 && thread.turns.waiting === 0; i++) thread.turns.run(task);
  assert.equal(pieces, 4, "2 ms of work");
  assert.equal(thread.turns.waiting, 1, "the rest waits");
  thread.turn();
  assert.equal(pieces, 5);
  thread.turns.run(task);
  assert.equal(pieces, 6, "a new turn is a new share");
});

Deno.test("Turns goes on with the others when a task throws", () => {
  const thread = new Thread();
  thread.turns.run(thread.task("a", 10, 1));
  thread.turns.run({
    step() {
      throw new Error("broken");
    },
  });
  thread.turns.run(thread.task("b", 1, 1));
  assert.throws(() => thread.turn(), /broken/);
  while (!thread.idle) thread.turn();
  assert.equal(thread.done.filter((name) => name === "b").length, 1);
  assert.equal(thread.done.filter((name) => name === "a").length, 10);
});
