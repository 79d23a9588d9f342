import type { ListenerSnapshot } from "../plane/mod.ts";
import { invalid, RefusedError, refuseProblems } from "../queue/mod.ts";
import { type Kind, Report } from "../schema/mod.ts";
import { hostPattern, listenAddress } from "../state/mod.ts";

const LISTEN_ADDRESS = listenAddress();
const HOST_PATTERN = hostPattern();
/** So many listeners are named to whoever asks for one that is not there. */
const LISTED = 10;

/**
 * The canonical address of a listener; `field` names it in messages.
 *
 * @throws {RefusedError}
 */
export function checkListenerAddr(field: string, text: string): string {
  return checkText(LISTEN_ADDRESS, field, text);
}

/**
 * The canonical hostname of a route; `field` names it in messages.
 *
 * @throws {RefusedError}
 */
export function checkHostname(field: string, text: string): string {
  return checkText(HOST_PATTERN, field, text);
}

function checkText(kind: Kind<string>, field: string, text: string): string {
  if (text === "") throw invalid(field, "is missing");
  const report = new Report();
  const checked = kind.check(text, { path: [field], report });
  refuseProblems(report);
  return checked;
}

/** Nothing listens at an address; those where something does, in the message. */
export function unknownListener(
  addr: string,
  listeners: readonly Pick<ListenerSnapshot, "addr">[],
): RefusedError {
  const there = listeners.slice(0, LISTED).map((it) => it.addr);
  const more = listeners.length > LISTED ? ", …" : "";
  const message = `the listener ${addr} does not exist; there are ${there.join(", ")}${more}`;
  return new RefusedError("not_found", message);
}
