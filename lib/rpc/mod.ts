/**
 * gRPC with the messages of protobuf-es: what servers and clients share, and a client over the
 * transport of grpc-js, which sees opaque octets: there is one protobuf runtime.
 *
 * @module
 */
export { type RpcCode, rpcCodeOf, RpcError } from "./error.ts";
export { type Parsed, parser, pathOf, serializer } from "./codec.ts";
export { type CallOptions, Channel } from "./channel.ts";
