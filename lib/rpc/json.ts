import { create, type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";

/** A message as JSON for machines: every field, by its name in the protocol. */
export function messageToJson<D extends DescMessage>(desc: D, message: MessageShape<D>): string {
  const options = { alwaysEmitImplicit: true, useProtoFieldName: true, prettySpaces: 2 };
  return toJsonString(desc, create(desc, message as never), options);
}
