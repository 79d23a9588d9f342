import assert from "node:assert/strict";
import { type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import { createRateLimiter } from "../../../lib/firewall/mod.ts";
import {
  basicAuthStep,
  credentialsOf,
  GUESS_WINDOW_MS,
  MAX_GUESSES,
} from "../../../lib/l7/basic_auth_step.ts";
import type { Passwords, Verdict } from "../../../lib/l7/passwords.ts";
import type { Asked } from "../../../lib/l7/step.ts";
import { systemClock } from "../../../lib/relay/mod.ts";

/** Passwords of one client that are looked at at one time. */
const MAX_AT_ONCE = 4;
/** Octets of base64. */
const MAX_CREDENTIALS = 1024;

/** Answers when the test says so. */
class SlowPasswords implements Pick<Passwords, "remembers" | "verify"> {
  readonly asked: ((verdict: Verdict) => void)[] = [];
  remembers(): boolean {
    return false;
  }
  verify(): Promise<Verdict> {
    return new Promise((resolve) => this.asked.push(resolve));
  }
}

function address(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok);
  return parsed.value;
}

function guarded() {
  const passwords = new SlowPasswords();
  const users = [{ name: "alice", hash: "hash" }];
  const key = new Uint32Array(4);
  const step = basicAuthStep({ realm: "r", forward: false, users }, {
    passwords: passwords as unknown as Passwords,
    guesses: createRateLimiter({
      limit: MAX_GUESSES,
      windowMs: GUESS_WINDOW_MS,
      key,
      maxSources: 16,
    }),
    clock: systemClock,
  });
  const ask = async (ip: string, name = "alice"): Promise<number | undefined> => {
    const fields = ["authorization", `Basic ${btoa(`${name}:x`)}`];
    const exchange = { head: { fields }, edit: () => {} };
    const connection = { client: { ip: address(ip) } };
    return (await step({ exchange, connection } as unknown as Asked))?.status;
  };
  return { ask, passwords };
}

Deno.test("basicAuthStep() looks at four passwords of a client at once, and gives each place back", async () => {
  const { ask, passwords } = guarded();
  for (let round = 0; round < 3; round++) {
    const open = Array.from({ length: MAX_AT_ONCE }, () => ask("192.0.2.1"));
    assert.equal(await ask("192.0.2.1"), 429, `round ${round}`);
    const other = ask("192.0.2.2");
    assert.equal(passwords.asked.length, MAX_AT_ONCE + 1);
    for (const answer of passwords.asked.splice(0)) answer("right");
    assert.deepEqual(await Promise.all([...open, other]), Array(MAX_AT_ONCE + 1).fill(undefined));
  }
  // One place after the other, too.
  const first = ask("192.0.2.1");
  for (let i = 0; i < 2 * MAX_AT_ONCE; i++) {
    const next = ask("192.0.2.1");
    passwords.asked.pop()?.("right");
    assert.equal(await next, undefined);
  }
  passwords.asked.pop()?.("right");
  assert.equal(await first, undefined);
});

Deno.test("basicAuthStep() counts wrong passwords as guesses, and busy ones not", async () => {
  const { ask, passwords } = guarded();
  const hear = async (verdict: Verdict) => {
    const status = ask("192.0.2.1");
    passwords.asked.pop()?.(verdict);
    return await status;
  };
  for (let i = 0; i < 2 * MAX_GUESSES; i++) assert.equal(await hear("busy"), 503);
  for (let i = 0; i < MAX_GUESSES; i++) assert.equal(await hear("wrong"), 401);
  assert.equal(await hear("right"), 429);
  assert.equal(await ask("192.0.2.1", "nobody"), 429);
});

Deno.test("credentialsOf() reads the one pair that there is, up to 1,024 characters", () => {
  const longest = `a:${"x".repeat(MAX_CREDENTIALS * 3 / 4 - 2)}`;
  assert.deepEqual(credentialsOf(["authorization", `Basic ${btoa(longest)}`]), {
    name: "a",
    password: longest.slice(2),
  });
  for (const more of ["x", "xx", "xxx", "xxxx"]) {
    assert.equal(credentialsOf(["authorization", `Basic ${btoa(longest + more)}`]), undefined);
  }
  const one = ["authorization", `basic  ${btoa("a:b:c")}`];
  assert.deepEqual(credentialsOf([...one, "host", "x"]), { name: "a", password: "b:c" });
  assert.equal(credentialsOf([...one, ...one]), undefined, "two");
  assert.equal(credentialsOf([]), undefined, "none");
});
