import { invalid } from "../control/mod.ts";
import type { Handlers } from "../rpc_server/mod.ts";
import { BACKEND, BACKEND_STATES } from "../state/mod.ts";
import { fromBackendStatus } from "./backend_messages.ts";
import { type AdminContext, operation } from "./context.ts";
import * as pb from "./gen/mod.ts";
import { optionalMs, toRecord } from "./messages.ts";

type BackendMethods = "listBackends" | "addBackend" | "removeBackend" | "setBackendState";

/** Backends of routes: how they are, and who is used. */
export function backendHandlers(
  context: AdminContext,
): Pick<Handlers<typeof pb.ProxyAdminService>, BackendMethods> {
  const { backends } = context.control;
  return {
    listBackends(request) {
      return { backends: backends.list(request).map(fromBackendStatus) };
    },
    async addBackend({ backend: message, ...request }, call) {
      if (message === undefined) throw invalid("backend", "is missing");
      const by = operation("AddBackend", context, call, request.ifRevision);
      const backend = toRecord(BACKEND, [pb.BackendSchema, message], ["backend"]);
      const added = await backends.add(request, backend, by);
      return { backend: fromBackendStatus(added), ...by.done };
    },
    async removeBackend(request, call) {
      const by = operation("RemoveBackend", context, call, request.ifRevision);
      const deadlineMs = optionalMs(request.deadline);
      const { live, closed } = await backends.remove(request, { deadlineMs }, by);
      return { liveConnections: live, closedConnections: closed, ...by.done };
    },
    async setBackendState(request, call) {
      const state = BACKEND_STATES.find((it) => it === request.state);
      if (state === undefined) throw invalid("state", `is not one of ${BACKEND_STATES.join(", ")}`);
      const by = operation("SetBackendState", context, call, request.ifRevision);
      const deadlineMs = optionalMs(request.deadline);
      const done = await backends.setState(request, { state, deadlineMs }, by);
      return {
        backend: fromBackendStatus(done.status),
        liveConnections: done.live,
        closedConnections: done.closed,
        ...by.done,
      };
    },
  };
}
