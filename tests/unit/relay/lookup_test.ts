import assert from "node:assert/strict";
import { shareLookups } from "../../../lib/relay/mod.ts";

/** A resolver that answers when told to, and counts the questions. */
function resolver() {
  const asked: { host: string; answer: PromiseWithResolvers<string[]> }[] = [];
  const lookup = shareLookups((host) => {
    const answer = Promise.withResolvers<string[]>();
    asked.push({ host, answer });
    return answer.promise;
  });
  return { asked, lookup };
}

Deno.test("shareLookups() asks once for a name while that is being resolved, and anew after", async () => {
  const { asked, lookup } = resolver();
  const answers = Promise.all([lookup("a.test"), lookup("b.test"), lookup("a.test")]);
  assert.deepEqual(asked.map(({ host }) => host), ["a.test", "b.test"]);
  asked[0]?.answer.resolve(["192.0.2.1"]);
  asked[1]?.answer.resolve(["192.0.2.2"]);
  assert.deepEqual(await answers, [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.1"]]);
  lookup("a.test");
  assert.equal(asked.length, 3);
});

Deno.test("shareLookups() hands a failure to everybody who waits, and asks anew after", async () => {
  const { asked, lookup } = resolver();
  const answers = Promise.allSettled([lookup("a.test"), lookup("a.test")]);
  asked[0]?.answer.reject(new Error("no such name"));
  assert.deepEqual((await answers).map(({ status }) => status), ["rejected", "rejected"]);
  lookup("a.test");
  assert.equal(asked.length, 2);
});
