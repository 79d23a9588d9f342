import type { State } from "../state/mod.ts";
import { rulesOf } from "./rules.ts";
import type { Config } from "./types.ts";

/**
 * The state that a configuration names where its file is the truth: what the file does not name is not
 * there, while a file that is applied (`readWantedState`) leaves it as it is.
 */
export function wholeStateOf({ listeners, firewall }: Config): Required<State> {
  const { rateLimit: limit, rateWindowMs: windowMs } = firewall;
  return {
    listeners: listeners.map(({ routes, ...listener }) => ({
      ...listener,
      routes: routes.map((route) => {
        // The configuration warns that those of other modes are ignored.
        const { policies: _, ...bare } = route;
        return route.mode === "l7" ? route : bare;
      }),
    })),
    rules: rulesOf(firewall),
    rateLimit: { limit, windowMs },
    // They are the name server's: a file that is the truth about what is served names none.
    records: [],
  };
}
