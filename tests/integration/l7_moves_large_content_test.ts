import assert from "node:assert/strict";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/**
 * Fills every buffer on the way many times over, so that each pause has to be followed by a go: the
 * largest are those of sockets, 6 MiB at most (tcp(7)).
 */
const OCTETS = 64 * 1024 * 1024;

for (const kind of ["h2c", "http1"] as const) {
  for (const version of ["--http1.1", "--http2"]) {
    testWithCommands(
      ["curl"],
      `${
        OCTETS / 1024 / 1024
      } MiB down and up (curl ${version}, backend of ${kind}) never stand still`,
      async () => {
        using folder = temporaryFolder();
        const file = `${folder.path}/large`;
        await Deno.writeFile(file, new Uint8Array(0));
        await Deno.truncate(file, OCTETS);
        const chunk = new Uint8Array(256 * 1024);
        await using backend = await startHttpBackend(kind, (request, response) => {
          let octets = 0;
          request.on("data", (bytes: Uint8Array) => octets += bytes.length);
          if (request.method === "PUT") {
            return void request.on("end", () => response.end(String(octets)));
          }
          let left = OCTETS;
          const write = () => {
            while (left > 0) {
              left -= chunk.length;
              if (!response.write(chunk)) return void response.once("drain", write);
            }
            response.end();
          };
          write();
        });
        await using proxy = await startL7({ backend: backend.address });
        const curl = async (...args: string[]) => {
          const { stdout, code } = await runCommand("curl", [
            "-sk",
            version,
            "--max-time",
            "120",
            "--resolve",
            `${HOST}:${proxy.port}:127.0.0.1`,
            ...args,
            `https://${HOST}:${proxy.port}/large`,
          ]);
          assert.equal(code, 0, "curl gave up");
          return stdout;
        };
        assert.equal(await curl("-o", "/dev/null", "-w", "%{size_download}"), String(OCTETS));
        assert.equal(await curl("-T", file), String(OCTETS));
      },
    );
  }
}
