import { parseListenEndpoint } from "../addr/mod.ts";
import { type ObjectKey, UnknownObjectError } from "./objects.ts";

/** A listener's name in its group, and where it is at this proxy. */
export interface NamedListener {
  readonly name: string;
  /** Canonical. */
  readonly addr: string;
}

/**
 * Addresses of listeners on their way out and in: the group knows by name what each proxy may have
 * elsewhere.
 */
export class ListenerNames {
  readonly #names: ReadonlyMap<string, string>;
  readonly #addresses: ReadonlyMap<string, string>;

  constructor(listeners: readonly NamedListener[] = []) {
    this.#names = new Map(listeners.map(({ name, addr }) => [addr, name]));
    this.#addresses = new Map(listeners.map(({ name, addr }) => [name, addr]));
  }

  /** As the group knows it. */
  outward(key: ObjectKey): ObjectKey {
    return this.#renamed(key, (addr) => this.#names.get(addr) ?? addr);
  }

  /**
   * As it is here.
   *
   * @throws {UnknownObjectError} if nothing says where a named listener is here.
   */
  inward(key: ObjectKey): ObjectKey {
    return this.#renamed(key, (name) => {
      const addr = this.#addresses.get(name);
      if (addr !== undefined) return addr;
      if (parseListenEndpoint(name).ok) return name;
      throw new UnknownObjectError(
        `the group has the listener ${JSON.stringify(name)}: say in state.local.listeners where ` +
          "that is at this proxy",
      );
    });
  }

  #renamed(key: ObjectKey, rename: (addr: string) => string): ObjectKey {
    const [kind, addr] = key;
    if (kind !== "listener" || addr === undefined) return key;
    return [kind, rename(addr), ...key.slice(2)];
  }
}
