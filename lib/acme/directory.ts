import { AcmeError } from "./error.ts";
import { checkUrl } from "./http.ts";

/** What a CA offers (RFC 8555 §7.1.1). */
export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  readonly revokeCert: string;
  readonly keyChange: string;
  /** RFC 9773; absent: the CA does not say when to renew. */
  readonly renewalInfo?: string;
  readonly termsOfService?: string;
  readonly externalAccountRequired: boolean;
  /** Names of profiles, with what they mean. */
  readonly profiles: ReadonlyMap<string, string>;
}

/**
 * Reads a CA's directory.
 *
 * @throws {AcmeError} if an URL is missing or not https.
 */
export function readDirectory(json: Readonly<Record<string, unknown>>): Directory {
  const urlOf = (name: string): string => {
    const url = json[name];
    if (url === undefined) throw new AcmeError("malformed", `the CA's directory has no ${name}`);
    checkUrl(url);
    return url;
  };
  const { termsOfService, externalAccountRequired, profiles } = objectOf(json["meta"]);
  const renewalInfo = json["renewalInfo"] === undefined ? undefined : urlOf("renewalInfo");
  return {
    newNonce: urlOf("newNonce"),
    newAccount: urlOf("newAccount"),
    newOrder: urlOf("newOrder"),
    revokeCert: urlOf("revokeCert"),
    keyChange: urlOf("keyChange"),
    ...renewalInfo !== undefined && { renewalInfo },
    ...typeof termsOfService === "string" && { termsOfService },
    externalAccountRequired: externalAccountRequired === true,
    profiles: new Map(
      Object.entries(objectOf(profiles)).map(([name, about]) => [name, String(about)]),
    ),
  };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
