/**
 * gRPC with the messages of protobuf-es over the transport of grpc-js: one adapter for servers and
 * one for clients, for any service. grpc-js sees opaque octets, so there is one protobuf runtime.
 *
 * @module
 */
export { type RpcCode, rpcCodeOf, RpcError } from "./error.ts";
export { type CallContext, type Handlers, implement, type ServeOptions } from "./server.ts";
export { type CallOptions, Channel } from "./channel.ts";
