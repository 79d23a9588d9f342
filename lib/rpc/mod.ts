/**
 * gRPC with the messages of protobuf-es: what servers and clients share. Each brings a transport of
 * its own, which sees opaque octets: there is one protobuf runtime.
 *
 * @module
 */
export { type RpcCode, rpcCodeOf, RpcError } from "./error.ts";
export { type Parsed, parser, pathOf, serializer } from "./codec.ts";
export { decodeInSteps } from "./decode.ts";
export { messageToJson } from "./json.ts";
export { encodeInSteps } from "./encode.ts";
export {
  decodeBadRequest,
  encodeBadRequest,
  type FieldViolation,
  STATUS_DETAILS,
} from "./status_details.ts";
