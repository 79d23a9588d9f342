import { Buffer } from "node:buffer";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/**
 * A message, or that the octets are none. A value and not an exception: grpc-js would report one as
 * an error of the other side.
 */
export type Parsed<D extends DescMessage> =
  | { readonly ok: true; readonly message: MessageShape<D> }
  | { readonly ok: false };

/** Octets to message. */
export function parser<D extends DescMessage>(desc: D): (bytes: Uint8Array) => Parsed<D> {
  return (bytes) => {
    try {
      return { ok: true, message: fromBinary(desc, bytes) };
    } catch {
      return { ok: false };
    }
  };
}

/** Message, or what makes one, to octets. */
export function serializer<D extends DescMessage>(
  desc: D,
): (message: MessageInitShape<D>) => Buffer {
  return (message) => {
    const bytes = toBinary(desc, create(desc, message));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

/** The name of a method on the wire. */
export function pathOf(method: Pick<DescMethod, "name" | "parent">): string {
  return `/${method.parent.typeName}/${method.name}`;
}
