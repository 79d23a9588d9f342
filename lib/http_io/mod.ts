/**
 * Moves octets between the engines of HTTP (lib/h1, lib/h2), which know no sockets, and the streams
 * of lib/tcp, which know no HTTP; and shares a thread's time among all of its connections.
 *
 * @module
 */
export { H1ClientIo, type H1ClientIoOptions } from "./h1_client_io.ts";
export { H1ServerIo, type H1ServerIoOptions } from "./h1_server_io.ts";
export { H2Io, type H2IoOptions } from "./h2_io.ts";
export { type Task, Turns } from "./turns.ts";
