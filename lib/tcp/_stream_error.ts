import { errnoName, type Request } from "./_binding.ts";
import { StreamError } from "./stream.ts";

/** What a status means, as whoever reads or writes is told. */
export function streamError(step: "read" | "write", status: number): StreamError {
  const code = errnoName(status);
  return new StreamError(code, `${step} ${code}`);
}

/** A FIN is on its way; nobody waits for it. */
export const SHUTDOWN: Request = { oncomplete() {} };
