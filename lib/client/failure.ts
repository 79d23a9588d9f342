import { EXIT, type Failure } from "../terminal/mod.ts";
import { AdminError, DeadlineError, UnreachableError } from "./error.ts";

/** What a failed call is to whoever sits at a terminal; `undefined`: it was no call that has failed. */
export async function explainFailure(
  error: unknown,
  { server, why }: {
    /** Whom nobody answers at. */
    readonly server: string;
    /** Why that is. */
    readonly why: (error: UnreachableError) => string | Promise<string>;
  },
): Promise<Failure | undefined> {
  if (error instanceof UnreachableError) {
    const message = `nobody answers on ${server}: ${await why(error)}`;
    return { code: EXIT.unreachable, message };
  }
  if (error instanceof DeadlineError) {
    return { code: EXIT.unreachable, message: "no answer in time" };
  }
  return error instanceof AdminError ? { code: EXIT.failed, message: error.message } : undefined;
}
