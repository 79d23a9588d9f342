// deno-lint-ignore-file no-console -- it speaks to whoever runs it
/**
 * A program outside of this tree that administers a running mc-proxy: it leads a name elsewhere, and
 * only if nobody has changed the state since it looked. Its `deno.json`:
 *
 *     {
 *       "links": ["/path/to/mc-proxy"],
 *       "imports": { "@mc-proxy/mc-proxy": "jsr:@mc-proxy/mc-proxy@0.1.0" }
 *     }
 *
 *     deno run --allow-net=unix:SOCKET --allow-read=SOCKET --allow-write=SOCKET --ignore-env \
 *       main.ts SOCKET :443 www.example.net 10.0.0.7:443
 *
 * @module
 */
import {
  AbortedError,
  createClient,
  InvalidArgumentError,
  NotFoundError,
} from "@mc-proxy/mc-proxy/client";

const [socketPath = "", listenerAddr = "", hostname = "", backend = ""] = Deno.args;
using client = createClient({ socketPath, actor: "reroute" });
try {
  const { route, revision } = await client.getRoute({ listenerAddr, hostname });
  const done = await client.updateRoute({
    listenerAddr,
    route: { hostname, backend },
    // What a newer proxy knows of the route beside this stays as it is.
    updateMask: { paths: ["backend"] },
    ifRevision: revision,
  });
  console.log(`${hostname}: ${route?.backend} → ${done.route?.backend}`);
} catch (error) {
  if (error instanceof NotFoundError) console.error(error.message);
  else if (error instanceof AbortedError) console.error("somebody else was faster, try again");
  else if (error instanceof InvalidArgumentError) {
    for (const { field, description } of error.problems) console.error(`${field}: ${description}`);
  } else throw error;
  Deno.exitCode = 1;
}
