// A backend of Node's own HTTP/2, in a process of its own: prints its port, answers `/slow` after
// 300 ms and `/large` with 4 MiB, and ends with its input.
import http2 from "node:http2";
import { Readable } from "node:stream";

const SLOW_MS = 300;

function* large() {
  for (let i = 0; i < 256; i++) yield new Uint8Array(16384);
}

const server = http2.createServer((request, response) => {
  request.resume();
  // As a file is sent: Node ends connections on which more than 10 MiB wait.
  if (request.url === "/large") return void Readable.from(large()).pipe(response);
  if (request.url !== "/slow") return void response.end("ok");
  const timer = setTimeout(() => response.end("slow"), SLOW_MS);
  response.on("close", () => clearTimeout(timer));
});
server.on("sessionError", () => {});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
process.stdin.resume().on("end", () => process.exit());
