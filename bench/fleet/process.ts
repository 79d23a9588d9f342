import assert from "node:assert/strict";
import type { MemberNotes, MemberTask } from "./member.ts";

/** A member, and what is said to it and by it. */
export class MemberProcess {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;

  constructor(task: MemberTask) {
    this.#folder = task.folder;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-A", "bench/fleet/member.ts", JSON.stringify(task)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async tell(word: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${word}\n`));
  }

  async says(word: string): Promise<void> {
    const { value } = await this.#output.read();
    assert.equal(value?.trim(), word);
  }

  async notes(): Promise<MemberNotes> {
    return JSON.parse(await Deno.readTextFile(`${this.#folder}/notes.json`));
  }

  async ended(): Promise<void> {
    await this.#output.cancel();
    assert.equal((await this.#child.status).code, 0);
  }
}
