/**
 * A terminal with a program in it, kept by tmux.
 *
 * @module
 */
import assert from "node:assert/strict";
import { commandPath, runCommand } from "./commands.ts";
import { eventually } from "./deadline.ts";

/** The program's exit code is on the screen at the end, as `exit=0`. */
export class Terminal implements AsyncDisposable {
  readonly #socket = `mc-proxy-test-${crypto.randomUUID().slice(0, 8)}`;

  private constructor() {}

  /** Runs a program, named by its words, in a terminal of 80×24 or of another size. */
  static async start(
    words: readonly string[],
    [columns, rows]: readonly [columns: number, rows: number] = [80, 24],
  ): Promise<Terminal> {
    const terminal = new Terminal();
    const command = words.map((word) => `'${word}'`).join(" ");
    const script = `NO_COLOR=1 ${command}; echo "exit=$?"; sleep 60`;
    await terminal.tmux("new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, script);
    return terminal;
  }

  async tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCommand("tmux", ["-L", this.#socket, ...args]);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** Waits until the screen shows something. */
  async shows(pattern: RegExp): Promise<string> {
    let screen = "";
    await eventually(async () => {
      screen = await this.tmux("capture-pane", "-p");
      return pattern.test(screen);
    }, `the terminal shows ${pattern}`);
    return screen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(commandPath("tmux") ?? "tmux", ["-L", this.#socket, "kill-server"]);
  }
}
