/**
 * A CA that says whatever a test wants, for what Pebble cannot do.
 *
 * @module
 */
import { createServerIdentity } from "./certificates.ts";

/** Answers a request; the path has no query. */
export type FakeHandler = (path: string, request: Request) => Response | Promise<Response>;

/** A CA that runs. */
export interface FakeCa extends AsyncDisposable {
  readonly directory: string;
  readonly url: (path: string) => string;
  readonly caPem: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
}

/** The directory and a nonce for every answer; `handler` says the rest. */
export async function startFakeCa(handler: FakeHandler): Promise<FakeCa> {
  const { certPem: cert, keyPem: key, ca } = await createServerIdentity("localhost");
  const asked: string[] = [];
  const controller = new AbortController();
  let nonce = 0;
  const server = Deno.serve({
    ...{ hostname: "127.0.0.1", port: 0, cert, key, signal: controller.signal },
    onListen() {},
    async handler(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      const answer = pathname === "/nonce"
        ? new Response(null, { status: 200 })
        : await handler(pathname, request);
      const headers = new Headers(answer.headers);
      if (!headers.has("replay-nonce")) headers.set("replay-nonce", `n${nonce++}`);
      return new Response(answer.body, { status: answer.status, headers });
    },
  });
  const { port } = server.addr;
  const url = (path: string) => `https://localhost:${port}${path}`;
  return {
    url,
    asked,
    directory: url("/dir"),
    caPem: ca,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await server.finished;
    },
  };
}

/** A directory whose calls are where their names say. */
export function directoryOf(ca: Pick<FakeCa, "url">, more: Record<string, unknown> = {}): Response {
  const names = ["newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo"];
  return Response.json({
    newNonce: ca.url("/nonce"),
    ...Object.fromEntries(names.map((name) => [name, ca.url(`/${name}`)])),
    ...more,
  });
}
