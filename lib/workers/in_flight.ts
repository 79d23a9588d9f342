/** Which `Int32` counts the batches of which events, and how many there are. */
export const InFlight = Object.freeze({ connections: 0, requests: 1, cells: 2 });
