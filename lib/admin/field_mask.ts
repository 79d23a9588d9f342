import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { invalid } from "../control/mod.ts";

/** What an update says. */
export interface MaskedUpdate<D extends DescMessage> {
  readonly message: MessageShape<D>;
  /** Absent: all of the message is meant. */
  readonly updateMask: FieldMask | undefined;
  /** The field that names what is updated, and does not change. */
  readonly kept: string;
}

/**
 * What there is, with the fields of an update that its mask names. A client that does not know a
 * field then leaves it as it is.
 *
 * @throws {RefusedError} if the mask names a field that there is not.
 */
export function masked<D extends DescMessage>(
  desc: D,
  before: MessageInitShape<D>,
  { message, updateMask, kept }: MaskedUpdate<D>,
): MessageShape<D> {
  if (updateMask === undefined) return message;
  const result = create(desc, before) as Record<string, unknown>;
  const given = message as Readonly<Record<string, unknown>>;
  for (const [i, path] of updateMask.paths.entries()) {
    const field = desc.fields.find(({ name }) => name === path);
    if (field === undefined) throw invalid(`update_mask.paths[${i}]`, `there is no field ${path}`);
    if (path !== kept) result[field.localName] = given[field.localName];
  }
  return result as MessageShape<D>;
}
