/** What it means that an address cannot be bound, for an operator; nothing for other errors. */
export function bindProblem(error: unknown): string | undefined {
  switch (error instanceof Error && "code" in error ? error.code : undefined) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "ports below 1024 need CAP_NET_BIND_SERVICE";
    case "EADDRNOTAVAIL":
    case "EINVAL": // So Deno 2.9.6 calls it.
      return "this machine does not have the address";
    default:
      return undefined;
  }
}
