/**
 * A backend over HTTP/1.1 that swallows what is uploaded: `sink.ts PORT`.
 *
 * @module
 */
import http from "node:http";

http.createServer((request, response) => {
  let octets = 0;
  request.on("data", (chunk: Uint8Array) => octets += chunk.length);
  request.on("end", () => response.end(`${octets}\n`));
}).listen(Number(Deno.args[0]), "127.0.0.1");
