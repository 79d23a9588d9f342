import type { Connection } from "./connection.ts";
import { ErrorCode } from "./error_codes.ts";

/** Since when something is waited for, on the owner's clock; -1: it is not. */
export interface Waits {
  readonly started: number;
  readonly frame: number;
  readonly headerBlock: number;
  readonly ping: number;
}

/** Ends a connection, or its stalled streams, whose peer keeps us waiting too long. */
export function checkDeadlines(connection: Connection, waits: Waits): void {
  const { limits, sender, streams, now } = connection;
  const late = (since: number, limitMs: number) => since >= 0 && now - since >= limitMs;
  const calm = ErrorCode.enhanceYourCalm;
  if (!connection.settingsReceived && late(waits.started, limits.prefaceTimeoutMs)) {
    connection.fail(ErrorCode.settingsTimeout, "no SETTINGS in time");
  } else if (!connection.settingsAcked && late(waits.started, limits.settingsTimeoutMs)) {
    connection.fail(ErrorCode.settingsTimeout, "SETTINGS not acknowledged in time");
  } else if (late(waits.headerBlock, limits.headerBlockTimeoutMs)) {
    connection.fail(calm, "header block not finished in time");
  } else if (late(waits.frame, limits.headerBlockTimeoutMs)) {
    connection.fail(calm, "frame not finished in time");
  } else if (late(waits.ping, limits.pingTimeoutMs)) {
    connection.fail(ErrorCode.noError, "no answer to PING");
  } else if (late(sender.waitingSince, limits.stallTimeoutMs)) {
    connection.fail(calm, "peer does not read");
  } else if (sender.stalls()) {
    connection.fail(calm, "peer keeps its window closed");
  } else {
    for (const stream of streams.all()) {
      if (!late(stream.stalledSince, limits.stallTimeoutMs)) continue;
      // With room in its window it waits for the connection, not for a peer that does not read.
      if (stream.sendWindow.available >= Math.min(limits.minProgress, stream.queue.octets)) {
        stream.beginStall(now);
      } else {
        connection.streamError(stream.id, ErrorCode.cancel, "peer keeps its window closed");
      }
    }
  }
}
