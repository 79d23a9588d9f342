/** A worker that did not answer a request in time, or that died before it did. */
export class WorkerError extends Error {
  override readonly name = "WorkerError";
  readonly code: "refused" | "timeout" | "died";

  constructor(code: WorkerError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
