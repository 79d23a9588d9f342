import type { ConnectionQuery, Plane } from "../plane/mod.ts";

/** What a change has to do with connections that are open. */
export interface LiveConnections {
  /** How many it is about. */
  readonly live: number;
  /** How many of them were closed. */
  readonly closed: number;
}

/** Whether a change closes the connections that it is about. */
export interface CloseOption {
  readonly close: boolean;
}

/** Counts the connections that a query means, or closes them. */
export async function liveConnections(
  plane: Plane,
  query: ConnectionQuery,
  close: boolean,
): Promise<LiveConnections> {
  if (!close) return { live: (await plane.findConnections(query, 0)).total, closed: 0 };
  const closed = await plane.closeConnections(query);
  return { live: closed, closed };
}
