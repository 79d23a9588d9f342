/**
 * Changes on their way to the disk, and back from it: what every program does that keeps its state in
 * SQLite and serves it from memory.
 *
 * @module
 */
export { DurableWrites, type DurableWritesOptions, type WriteRequest } from "./durable_writes.ts";
