/**
 * A gRPC server on a private Unix socket, over lib/h2: calls and their deadlines, frames, the
 * health and reflection services. Which services it has, a program brings.
 *
 * @module
 */
export { healthHandlers, type HealthSource } from "./health.ts";
export { reflectionHandlers } from "./reflection.ts";
export { type GrpcLimits, GrpcServer } from "./server.ts";
export { sleep } from "./sleep.ts";
export { type CallContext, type Handlers, type Method, methodsOf } from "./service.ts";
export {
  AdminSocketError,
  type AdminSocketErrorCode,
  bindPrivately,
  type BoundSocket,
} from "./socket.ts";
