import assert from "node:assert/strict";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** Asks for a part of the page the way htmx does, and counts what came with the style sheet. */
const SCRIPT = `
addEventListener("load", async () => {
  const response = await fetch("/part", { method: "POST", headers: { "HX-Request": "true" }, body: "x=1" });
  document.querySelector("#part").innerHTML = await response.text();
  const colour = getComputedStyle(document.body).color;
  document.body.insertAdjacentHTML("beforeend", "<i>" + colour + "</i><b>" +
    performance.getEntriesByType("resource").map((entry) => entry.nextHopProtocol).join() + "</b>");
  new EventSource("/events").onmessage = (event) => {
    document.body.insertAdjacentHTML("beforeend", "<u>" + event.data + "</u>");
    event.target.close();
  };
});`;

const FILES: Readonly<Record<string, readonly [type: string, content: string]>> = {
  "/": [
    "text/html",
    `<!doctype html><link rel=stylesheet href=/a.css><script src=/a.js></script>` +
    `<p id=part>empty</p>${Array.from({ length: 30 }, (_, i) => `<img src=/${i}.svg>`).join("")}`,
  ],
  "/a.css": ["text/css", "body { color: rgb(1, 2, 3) }"],
  "/a.js": ["text/javascript", SCRIPT],
  "/events": ["text/event-stream", "data: event arrived\n\n"],
};

for (const kind of ["h2c", "http1"] as const) {
  testWithCommands(
    ["chromium"],
    `a browser loads a page with its parts over HTTP/2 from a backend of ${kind}`,
    async () => {
      using folder = temporaryFolder();
      let images = 0;
      await using backend = await startHttpBackend(kind, (request, response) => {
        const path = request.url ?? "";
        if (path === "/part") {
          request.resume();
          const asked = request.headers["hx-request"];
          return void request.on("end", () => response.end(`<em>part for ${asked}</em>`));
        }
        if (path.endsWith(".svg")) images++;
        const [type, content] = FILES[path] ??
          ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`];
        response.setHeader("content-type", type);
        response.end(content);
      });
      await using proxy = await startL7({ backend: backend.address });
      const { stdout, stderr } = await runCommand("chromium", [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--ignore-certificate-errors",
        `--user-data-dir=${folder.path}`,
        `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
        "--virtual-time-budget=10000",
        "--dump-dom",
        `https://${HOST}:${proxy.port}/`,
      ]);
      assert.match(stdout, /<em>part for true<\/em>/, stderr);
      assert.match(stdout, /<i>rgb\(1, 2, 3\)<\/i>/);
      assert.match(stdout, /<u>event arrived<\/u>/);
      assert.match(stdout, /<b>h2(,h2)+<\/b>/);
      assert.equal(images, 30);
      assert.equal(proxy.requests.every(({ protocol }) => protocol === "h2"), true);
    },
  );
}
