import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { BackendStatus } from "../control/mod.ts";
import { toMessage } from "../messages/mod.ts";
import { BACKEND } from "../state/mod.ts";
import * as pb from "./gen/mod.ts";

/** A backend as it is told to clients. */
export function fromBackendStatus(status: BackendStatus) {
  const { listener: listenerAddr, route: hostname, path, reason, open } = status;
  const { condition, isRemoved, since } = status;
  return {
    ...{ listenerAddr, hostname, path, reason, open },
    condition: isRemoved ? "removed" : condition,
    backend: toMessage(BACKEND.shape, pb.BackendSchema, status.backend),
    ...since > 0 && { since: timestampFromMs(since) },
  };
}
