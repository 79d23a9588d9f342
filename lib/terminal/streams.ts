import type { OutputConfiguration } from "commander";
import { type Writer, writeText } from "./write.ts";

/** What a command reads and writes: `Deno` itself, or what stands for it when a test runs the command. */
export interface Streams {
  readonly stdin: { readonly readable: ReadableStream<Uint8Array> };
  readonly stdout: Writer;
  readonly stderr: Writer;
}

/** Lets commander write to these what it says by itself: help, versions, slips. */
export function outputTo({ stdout, stderr }: Streams): OutputConfiguration {
  return {
    writeOut: (text) => writeText(stdout, text),
    writeErr: (text) => writeText(stderr, text),
  };
}
