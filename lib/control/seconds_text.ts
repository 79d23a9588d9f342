import { formatDuration } from "../schema/mod.ts";

/** Rounded up: whoever waits that long is let in. */
export function secondsText(ms: number): string {
  return formatDuration(Math.ceil(ms / 1000) * 1000);
}
