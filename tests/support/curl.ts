/**
 * What curl makes of a proxy's answers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { runCommand } from "./commands.ts";
import { HOST } from "./l7.ts";

/** The versions of HTTP that curl is asked to speak. */
export const CURL_VERSIONS = ["--http1.1", "--http2"] as const;

/** An answer as curl wrote it. */
export interface CurlAnswer {
  readonly status: number;
  /** Names in lower case; the last of several values. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Asks a proxy for `https://a.test/` and a path. */
export async function curl(
  { port, path = "/" }: { readonly port: number; readonly path?: string },
  ...args: string[]
): Promise<CurlAnswer> {
  const { stdout, code, stderr } = await runCommand("curl", [
    "-sSki",
    "--path-as-is",
    "--max-time",
    "20",
    "--resolve",
    `${HOST}:${port}:127.0.0.1`,
    ...args,
    `https://${HOST}:${port}${path}`,
  ]);
  assert.equal(code, 0, `curl gave up: ${stderr}`);
  // Interim heads come first.
  const parts = stdout.split("\r\n\r\n");
  let head = parts.shift() ?? "";
  while (/^HTTP\/\S+ 1\d\d/.test(head)) head = parts.shift() ?? "";
  const [line = "", ...rest] = head.split("\r\n");
  const fields = new Map(rest.map((it) => {
    const colon = it.indexOf(":");
    return [it.slice(0, colon).toLowerCase(), it.slice(colon + 1).trim()];
  }));
  return { status: Number(line.split(" ")[1]), fields, body: parts.join("\r\n\r\n") };
}
