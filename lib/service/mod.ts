/**
 * What systemd passes to a service, and what the service tells it: ready, reloading, stopping, its
 * status, and that it is alive (sd_notify). And whether another process runs already.
 *
 * @module
 */
export { readVariable } from "./environment.ts";
export {
  readServiceEnvironment,
  type ServiceEnvironment,
  ServiceManager,
  type WatchdogReport,
} from "./service_manager.ts";
export { answers } from "./unix_socket.ts";
