import { DnsRestError } from "../dns_rest/mod.ts";
import { invalidFields, RefusedError } from "../queue/mod.ts";

/** What the name server does not keep, changes nothing here: to whoever asked for it. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof DnsRestError)) return error;
  const { status, code, message, fields } = error;
  if (code === "cancelled") return new RefusedError("cancelled", message);
  if (status === 412) return new RefusedError("aborted", message, { cause: error });
  if (status === 400 && fields.length > 0) {
    return invalidFields(fields.map(({ field, message }) => {
      return { field: field.replace(/^sets\[/, "state.records["), message };
    }));
  }
  const reason = `${message}; nothing was changed`;
  return new RefusedError(status === 503 ? "busy" : "failed_precondition", reason, {
    cause: error.cause ?? error,
  });
}
