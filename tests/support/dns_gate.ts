/**
 * A way through to a name server's REST API at which a test stops single messages.
 *
 * @module
 */
import { createServerIdentity } from "./certificates.ts";

/** What is asked of the name server. */
export type GateCall = "prepare" | "commit" | "abort" | "list" | "other";

/** Looks at a message on its way: before the name server has it, or before its answer is given. */
export type GateWatch = (
  call: GateCall,
  when: "before" | "after",
) => void | "cut" | Promise<void | "cut">;

/** The way through. */
export interface DnsGate extends AsyncDisposable {
  /** The URL to be used in the place of the name server's. */
  readonly url: string;
  readonly ca: string;
  /** Where it leads. */
  target: { readonly server: string; readonly caPem: string };
  watch: GateWatch;
}

/** Starts one; nothing is stopped until there is a {@link DnsGate.watch}. */
export async function startDnsGate(target: DnsGate["target"]): Promise<DnsGate> {
  const { certPem: cert, keyPem: key, ca } = await createServerIdentity("localhost");
  const gate = { target, watch: () => {} } as { target: DnsGate["target"]; watch: GateWatch };
  const options = { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} };
  const server = Deno.serve(options, async (request) => {
    const call = callOf(request);
    const { pathname, search } = new URL(request.url);
    const body = request.method === "POST" ? await request.text() : undefined;
    const headers = { authorization: request.headers.get("authorization") ?? "" };
    if (await gate.watch(call, "before") === "cut") return cut();
    try {
      using client = Deno.createHttpClient({ caCerts: [gate.target.caPem] });
      const answer = await fetch(new URL(`${pathname}${search}`, gate.target.server), {
        ...{ method: request.method, headers, client },
        ...body !== undefined && body !== "" && { body },
      });
      const text = await answer.text();
      if (await gate.watch(call, "after") === "cut") return cut();
      return new Response(answer.status === 204 ? null : text, { status: answer.status });
    } catch {
      return cut();
    }
  });
  return Object.assign(gate, {
    url: `https://localhost:${server.addr.port}`,
    ca,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

function callOf({ method, url }: Request): GateCall {
  const { pathname } = new URL(url);
  if (!pathname.startsWith("/v1/changes")) return "other";
  if (method === "DELETE") return "abort";
  if (method === "GET") return "list";
  return pathname.endsWith("/commit") ? "commit" : "prepare";
}

/** The connection breaks before the answer is whole. */
function cut(): Response {
  return new Response(
    new ReadableStream({
      pull(controller) {
        controller.error(new Error("cut"));
      },
    }),
  );
}
