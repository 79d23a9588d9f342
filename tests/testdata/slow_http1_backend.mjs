// A backend of Node's own HTTP/1.1, in a process of its own: prints its port and answers as
// slow_h2c_backend.mjs does, takes nothing of what is sent to `/stuck`, answers `/early` before it
// was sent, and ends with its input.
import http from "node:http";

const SLOW_MS = 300;
const LARGE = Buffer.alloc(4 * 1024 * 1024);

const server = http.createServer((request, response) => {
  const path = request.url;
  if (path === "/stuck") return;
  if (path === "/early") return void response.end("ok");
  request.resume();
  if (path === "/large") return void response.end(LARGE);
  if (path !== "/slow") return void response.end("ok");
  const timer = setTimeout(() => response.end("slow"), SLOW_MS);
  response.on("close", () => clearTimeout(timer));
});
server.on("connection", (socket) => socket.on("error", () => {}));
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
process.stdin.resume().on("end", () => process.exit());
