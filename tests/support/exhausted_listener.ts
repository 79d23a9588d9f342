/**
 * A program that listens, uses all of its descriptors up, and says its port. When it is told on
 * standard input that clients are there, it looks at its listener twice, frees the descriptors, looks
 * again, and says what it was told. The argument is the kind of sockets.
 *
 * @module
 */
import { createSockets, type SocketsKind } from "../../lib/tcp/mod.ts";
import { eventually } from "./deadline.ts";

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const sockets = createSockets(Deno.args[0] as SocketsKind);
let codes: string[] = [];
let accepted = 0;
const listener = await sockets.listen({ host: "127.0.0.1", port: 0 }, (stream) => {
  accepted++;
  stream.close();
}, { onAcceptFailure: (code) => void codes.push(code) });

// The runtime makes what it needs for signals when they are first wanted.
Deno.addSignalListener("SIGUSR2", () => {});
const input = new Uint8Array(1);
say(String(listener.port));
await Deno.stdin.read(input);

const files: Deno.FsFile[] = [];
try {
  for (;;) files.push(Deno.openSync("/dev/null"));
} catch {
  // That was all.
}
say("full");
await Deno.stdin.read(input);
await new Promise((resolve) => setTimeout(resolve, 200));
listener.rearm();
await new Promise((resolve) => setTimeout(resolve, 200));
listener.rearm();
await new Promise((resolve) => setTimeout(resolve, 200));
const whileFull = { codes, accepted };

for (const file of files) file.close();
codes = [];
listener.rearm();
await eventually(() => accepted > 0, "they are accepted");
await new Promise((resolve) => setTimeout(resolve, 200));
say(JSON.stringify({ whileFull, after: { codes, accepted } }));
Deno.exit(0);
