/** PostgreSQL did not answer, or refused; the message says what and how to mend it. */
export class FleetLinkError extends Error {
  override readonly name = "FleetLinkError";
  /** Whether a change that was asked for may have been made. */
  readonly isUncertain: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isUncertain?: boolean } = {}) {
    super(message, options);
    this.isUncertain = options.isUncertain ?? false;
  }
}

/** A statement that the server has refused has changed nothing; of a broken connection nobody knows. */
export function linkErrorOf(cause: unknown): FleetLinkError {
  if (cause instanceof FleetLinkError) return cause;
  const { code = "", message = "" } = cause as { code?: string; message?: string };
  const isRefused = /^[0-9A-Z]{5}$/.test(code) && !code.startsWith("57P");
  const words = isRefused
    ? `PostgreSQL refuses: ${message}`
    : `PostgreSQL cannot be reached: ${message}`;
  return new FleetLinkError(words, { cause, isUncertain: !isRefused });
}

/** Nothing is there yet, and nothing that this role may make. */
export function noFleet({ group, user }: Admitted, cause: unknown): FleetLinkError {
  return new FleetLinkError(
    "the database holds no fleet, and this role may not make one: apply " +
      `deploy/postgres/fleet.sql as its owner, ${creationWords({ group, user })}`,
    { cause },
  );
}

/** Either there is no such group, or it is none of this role's: PostgreSQL does not tell which. */
export function noGroup({ group, user }: Admitted): FleetLinkError {
  return new FleetLinkError(
    `the role ${user} knows no group ${JSON.stringify(group)}: ${creationWords({ group, user })}`,
  );
}

/** What a standby says may be older than what this proxy has, and is no news. */
export function standby({ host, port }: { host: string; port: number }): FleetLinkError {
  return new FleetLinkError(
    `PostgreSQL at ${host}:${port} is a standby: promote it, or have the name lead to the primary`,
    { isUncertain: true },
  );
}

/** Whether the server may only be read: it is a standby, or has become one. */
export function isReadOnly(cause: unknown): boolean {
  return (cause as { code?: string }).code === "25006";
}

/** Who is to have a part in which group. */
interface Admitted {
  readonly group: string;
  readonly user: string;
}

/** The two statements that are missing, as they are typed. */
function creationWords({ group, user }: Admitted): string {
  return `make the group with mc_proxy_fleet.create_group('${group}') and let the role in with ` +
    `mc_proxy_fleet.admit('${group}', '${user}')`;
}
