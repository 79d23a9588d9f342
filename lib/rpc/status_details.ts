import { Buffer } from "node:buffer";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

/** What is wrong with one field of a request: google.rpc.BadRequest.FieldViolation. */
export interface FieldViolation {
  /** Its path, such as `state.listeners[0].listener.addr`. */
  readonly field: string;
  readonly description: string;
}

/** The trailer of a status with details; the value is base64. */
export const STATUS_DETAILS = "grpc-status-details-bin";

const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";
/** Clients bound the fields of an answer, often at 16 KiB: violations beyond this are left out. */
const MAX_DETAILS_BYTES = 8 * 1024;

/**
 * A google.rpc.Status with a BadRequest, as base64 without padding
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Binary-Header). As many violations as
 * fit, the first ones first.
 */
export function encodeBadRequest(
  { status, message, violations }: {
    readonly status: number;
    readonly message: string;
    readonly violations: readonly FieldViolation[];
  },
): string {
  const badRequest = new BinaryWriter();
  let size = 0;
  for (const { field, description } of violations) {
    const violation = new BinaryWriter();
    const octets = violation.tag(1, 2).string(field).tag(2, 2).string(description).finish();
    size += octets.length;
    if (size > MAX_DETAILS_BYTES) break;
    badRequest.tag(1, 2).bytes(octets);
  }
  const any = new BinaryWriter();
  any.tag(1, 2).string(BAD_REQUEST).tag(2, 2).bytes(badRequest.finish());
  const details = new BinaryWriter();
  details.tag(1, 0).int32(status).tag(2, 2).string(message).tag(3, 2).bytes(any.finish());
  return Buffer.from(details.finish()).toString("base64").replace(/=+$/, "");
}

/** The violations of a status; none where the octets say something else. */
export function decodeBadRequest(octets: Uint8Array): FieldViolation[] {
  try {
    return fieldsOf(octets, 3).flatMap((any) => {
      const [type] = fieldsOf(any, 1);
      if (type === undefined || new TextDecoder().decode(type) !== BAD_REQUEST) return [];
      return fieldsOf(any, 2).flatMap((badRequest) => fieldsOf(badRequest, 1)).map(violationOf);
    });
  } catch {
    return []; // Of a server that means something else by it: the message says enough.
  }
}

function violationOf(octets: Uint8Array): FieldViolation {
  const textOf = (number: number) =>
    new TextDecoder().decode(fieldsOf(octets, number).at(-1) ?? new Uint8Array());
  return { field: textOf(1), description: textOf(2) };
}

/** The octets of every field of a number that has a length. */
function fieldsOf(octets: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(octets);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === wanted && type === 2) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}
