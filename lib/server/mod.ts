/**
 * The data plane of one thread: listeners, the path of one connection, drain.
 *
 * @module
 */
export { DataPlane } from "./data_plane.ts";
export { type DataPlaneOptions } from "./data_plane_options.ts";
export { ListenError } from "./listener.ts";
