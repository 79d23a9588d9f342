import { type IpAddress, ipToBytes } from "../addr/mod.ts";
import { checkCookie, type Edns, type EdnsOption, OPTION } from "../dns/mod.ts";
import type { DnsCounters } from "./counters.ts";
import type { ServingSettings } from "./settings.ts";

/** What the cookie of a question says of who sent it. */
export interface CookieCheck {
  /** Its sender was told this cookie before: the address is not forged. */
  readonly isValid: boolean;
  readonly isMalformed: boolean;
  /** What the answer has; none where none was asked for. */
  readonly option?: EdnsOption;
}

/** What {@link CookieChecks} needs. */
export interface CookieChecksOptions {
  /** Absent: cookies are not looked at. */
  readonly secret: ServingSettings["cookieSecret"];
  readonly counters: DnsCounters;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Looks at the cookies of questions (RFC 7873, RFC 9018), and counts them. */
export class CookieChecks {
  readonly #options: CookieChecksOptions;

  constructor(options: CookieChecksOptions) {
    this.#options = options;
  }

  check(edns: Edns | undefined, ip: IpAddress): CookieCheck {
    const { secret, counters, now } = this.#options;
    const given = edns?.options.find(({ code }) => code === OPTION.cookie);
    if (given === undefined || secret === undefined) return NO_COOKIE;
    const nowSeconds = Math.floor(now() / 1000);
    const check = checkCookie(given.value, { address: ipToBytes(ip), secret, nowSeconds });
    if (check.kind === "malformed") return MALFORMED_COOKIE;
    counters.add(check.kind === "valid" ? "cookies_valid" : "cookies_unknown");
    const option = { code: OPTION.cookie, value: check.answer };
    return { isValid: check.kind === "valid", isMalformed: false, option };
  }
}

const NO_COOKIE: CookieCheck = { isValid: false, isMalformed: false };
const MALFORMED_COOKIE: CookieCheck = { isValid: false, isMalformed: true };
