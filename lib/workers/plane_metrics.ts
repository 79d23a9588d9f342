import { HISTOGRAM_NAMES, sumHistogram } from "../observe/mod.ts";
import type { PlaneMetrics } from "../plane/mod.ts";
import type { RequestBlocks } from "./request_blocks.ts";

/** What workers have measured, from their counters and their requests. */
export function readPlaneMetrics(
  counters: readonly SharedArrayBuffer[],
  requests: RequestBlocks,
): PlaneMetrics {
  return {
    histograms: new Map(HISTOGRAM_NAMES.map((name) => [name, sumHistogram(name, counters)])),
    eventLoopLag: counters.map((buffer) => sumHistogram("event_loop_lag", [buffer])),
    requests: requests.read(),
  };
}
