import {
  Access,
  canonical,
  type DnsOperation,
  readZoneName,
  type Right,
} from "../dns_control/mod.ts";
import { nameToText } from "../dns/mod.ts";
import type { CallContext } from "../rpc_server/mod.ts";
import { type Authenticator, AuthError, type Caller, forbidden } from "./auth.ts";
import type { RoutesOptions } from "./routes_options.ts";

/** What the service needs. */
export interface RpcOptions extends RoutesOptions {
  readonly authenticator: Authenticator;
  /** Who calls over the Unix socket; absent: nobody does. */
  readonly owner?: (() => string) | undefined;
}

const MAX_ACTOR_CHARACTERS = 64;

/** Finds out who calls, and whether they may. */
export class Gate {
  readonly #options: RpcOptions;

  constructor(options: RpcOptions) {
    this.#options = options;
  }

  async caller(call: CallContext): Promise<Caller> {
    const { owner, authenticator } = this.#options;
    if (call.address !== undefined) {
      return await authenticator.authenticate(call.metadata("authorization"), call.address);
    }
    if (owner === undefined) throw new AuthError("unknown", "a bearer token is needed");
    // What callers call themselves is marked as their word.
    const claim = call.metadata("mcns-actor") ?? "";
    const isUsable = claim.length <= MAX_ACTOR_CHARACTERS && /^[\x20-\x7e]+$/.test(claim);
    return { name: isUsable ? `${owner()} (${claim})` : owner(), access: Access.ADMIN };
  }

  async admin(call: CallContext): Promise<Caller> {
    const caller = await this.caller(call);
    if (!caller.access.isAdmin) throw forbidden();
    return caller;
  }

  /** The zone of a request; looked at before whether it is there. */
  async zone(call: CallContext, text: string, right: Right) {
    const caller = await this.caller(call);
    const zone = readZoneName(text);
    if (!caller.access.may(right, canonical(nameToText(zone)) ?? "")) throw forbidden();
    return { caller, zone };
  }
}

/** A change that a call asks for. */
export function operationOf(
  { name: actor }: Caller,
  action: string,
  { signal, ifVersion }: { readonly signal: AbortSignal; readonly ifVersion?: readonly string[] },
): DnsOperation {
  const condition = ifVersion === undefined || ifVersion.length === 0 ? {} : { ifVersion };
  return { actor, action, signal, ...condition };
}
