/**
 * The data plane of one thread: listeners, the path of one connection, drain.
 *
 * @module
 */
export { DataPlane, type DataPlaneOptions } from "./data_plane.ts";
export { ListenError } from "./listener.ts";
