import { createServerIdentity } from "./certificates.ts";

/** The name that tests connect to; nobody resolves it. */
export const HOST = "a.test";

type Identity = Awaited<ReturnType<typeof createServerIdentity>>;
let made: Promise<Identity> | undefined;

/** The certificate, key and authority behind {@link HOST}; one for every test of this process. */
export function identity(): Promise<Identity> {
  return made ??= createServerIdentity(HOST, "*.wild.test", "b.test");
}
