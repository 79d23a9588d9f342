import assert from "node:assert/strict";
import {
  type AccessRequest,
  type Authorizer,
  createAuthorizationCache,
  type Decision,
} from "../../../lib/connector/mod.ts";
import { FakeClock } from "../../support/clock.ts";

const ALLOWED: Decision = { allowed: true, address: "10.0.0.1" };
const request = (connectId: string): AccessRequest => ({ orgId: "o", userId: "u", connectId });

/** Allows every host that does not start with "no"; counts what it was asked. */
function createInner() {
  const asked: string[] = [];
  const inner: Authorizer = {
    authorize({ connectId }) {
      asked.push(connectId);
      const decision = connectId.startsWith("no")
        ? { allowed: false, cause: "not_listed" } as const
        : ALLOWED;
      return Promise.resolve(decision);
    },
    authorizeAll: (requests) => Promise.all(requests.map((each) => inner.authorize(each))),
    close: () => Promise.resolve(),
  };
  return { inner, asked };
}

Deno.test("createAuthorizationCache() repeats a yes for its time and not longer", async () => {
  const { inner, asked } = createInner();
  const clock = new FakeClock();
  const cache = createAuthorizationCache(inner, { ttlMs: 5_000, clock });
  for (let i = 0; i < 3; i++) assert.deepEqual(await cache.authorize(request("a")), ALLOWED);
  clock.advance(4_999);
  await cache.authorize(request("a"));
  assert.equal(asked.length, 1);
  clock.advance(1);
  await cache.authorize(request("a"));
  assert.equal(asked.length, 2);
});

Deno.test("createAuthorizationCache() never repeats a no", async () => {
  const { inner, asked } = createInner();
  const cache = createAuthorizationCache(inner, { ttlMs: 5_000, clock: new FakeClock() });
  await cache.authorize(request("no"));
  await cache.authorize(request("no"));
  assert.equal(asked.length, 2);
  assert.equal(cache.size, 0);
});

Deno.test("createAuthorizationCache() is off with a time of 0", async () => {
  const { inner, asked } = createInner();
  const cache = createAuthorizationCache(inner, { ttlMs: 0, clock: new FakeClock() });
  await cache.authorize(request("a"));
  await cache.authorize(request("a"));
  assert.equal(asked.length, 2);
  assert.equal(cache.size, 0);
});

Deno.test("createAuthorizationCache() is bounded and drops the oldest", async () => {
  const { inner, asked } = createInner();
  const cache = createAuthorizationCache(inner, {
    ttlMs: 5_000,
    maxEntries: 2,
    clock: new FakeClock(),
  });
  for (const id of ["a", "b", "c"]) await cache.authorize(request(id));
  assert.equal(cache.size, 2);
  await cache.authorize(request("b"));
  await cache.authorize(request("c"));
  assert.equal(asked.length, 3);
  await cache.authorize(request("a"));
  assert.equal(asked.length, 4);
});

Deno.test("createAuthorizationCache() forgets when told, and what was under way then", async () => {
  const answer = Promise.withResolvers<Decision>();
  let asked = 0;
  const inner: Authorizer = {
    authorize: () => asked++ === 0 ? answer.promise : Promise.resolve(ALLOWED),
    authorizeAll: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
  const cache = createAuthorizationCache(inner, { ttlMs: 5_000, clock: new FakeClock() });
  const first = cache.authorize(request("a"));
  cache.clear();
  answer.resolve(ALLOWED);
  await first;
  assert.equal(cache.size, 0);
  await cache.authorize(request("a"));
  assert.equal(cache.size, 1);
  cache.clear();
  assert.equal(cache.size, 0);
});

Deno.test("createAuthorizationCache() does not outlive its time when the clock is set back", async () => {
  const { inner, asked } = createInner();
  const clock = new FakeClock(1_000_000);
  const cache = createAuthorizationCache(inner, { ttlMs: 5_000, clock });
  await cache.authorize(request("a"));
  clock.jump(-500_000);
  await cache.authorize(request("a"));
  assert.equal(asked.length, 2);
});

Deno.test("createAuthorizationCache() mixes up no two requests and no batch", async () => {
  const { inner, asked } = createInner();
  const cache = createAuthorizationCache(inner, { ttlMs: 5_000, clock: new FakeClock() });
  const texts = ["", "a", "b", "ab", ":", "1:1:", "a\0b"];
  const all = texts.flatMap((orgId) =>
    texts.flatMap((userId) => texts.map((connectId) => ({ orgId, userId, connectId })))
  );
  for (const each of all) await cache.authorize(each);
  assert.equal(cache.size, all.length);
  await cache.authorizeAll([request("a"), request("a")]);
  assert.equal(asked.length, all.length + 2);
});
