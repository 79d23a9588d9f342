import type { Opinion } from "../firewall/mod.ts";
import { secondsText } from "./seconds_text.ts";

/** What the firewall and the limits of a client say, with how full they are. */
export function* explainOpinion(
  { refusal, allowedBy, rate, skipsRateLimit, open }: Opinion,
  { client, country }: { readonly client: string; readonly country: string | undefined },
): Generator<string> {
  const from = country === undefined ? "" : ` (${country})`;
  if (allowedBy !== undefined) {
    const { id, type, value } = allowedBy;
    yield `firewall: rule #${id} (${type} ${value}) allows ${client}${from}`;
  }
  if (refusal?.outcome === "blocked") {
    const { id, type, value } = refusal.rule;
    yield `firewall: rule #${id} (${type} ${value}) blocks ${client}`;
    return;
  }
  if (allowedBy === undefined) yield `firewall: no rule blocks ${client}${from}`;
  if (rate !== undefined) {
    const over = refusal?.outcome === "rate_limited" ? ": over it" : "";
    const window = rate.endsInMs === 0
      ? "no window is open"
      : `the window ends in ${secondsText(rate.endsInMs)}`;
    yield `rate limit: ${rate.count} of at most ${rate.limit} new connections, ${window}${over}`;
  } else if (skipsRateLimit === true) {
    yield "rate limit: does not hold for this client";
  }
  if (open !== undefined) {
    yield `connections: ${open.count} of at most ${open.limit} are open from there`;
  }
}
