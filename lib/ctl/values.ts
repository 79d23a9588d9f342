import type { LiveValues } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

/** Arguments and values of options, and what a running proxy knows of them. */
export const LIVE_VALUES: LiveValues = {
  listener: "listeners",
  addr: "listeners",
  hostname: "hostnames",
  sni: "hostnames",
  name: "hostnames",
};

/** `values`: what there is now, one a line, for completions. */
export async function listValues(session: Session, kind: string): Promise<void> {
  const { listeners } = await session.client.listListeners({});
  const addrs = listeners.flatMap(({ listener }) => listener === undefined ? [] : [listener.addr]);
  if (kind === "listeners") return session.print(...addrs);
  const found = await Promise.all(
    addrs.map((listenerAddr) => session.client.listRoutes({ listenerAddr })),
  );
  const hostnames = found.flatMap(({ routes }) => routes.map(({ hostname }) => hostname));
  session.print(...new Set(hostnames));
}
