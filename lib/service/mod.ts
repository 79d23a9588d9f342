/**
 * What systemd passes to a service, and what the service tells it: ready, reloading, stopping, its
 * status, and that it is alive (sd_notify).
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
