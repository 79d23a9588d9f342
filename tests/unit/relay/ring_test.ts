import assert from "node:assert/strict";
import { Link, Ring } from "../../../lib/relay/mod.ts";

class Named extends Link {
  constructor(readonly name: string) {
    super();
  }
}

const namesOf = (ring: Ring<Named>) => [...ring].map(({ name }) => name).join("");

function ringOf(names: string) {
  const ring = new Ring<Named>();
  const members = [...names].map((name) => new Named(name));
  for (const member of members) ring.add(member);
  return { ring, members };
}

Deno.test("Ring keeps the order in which members came, whoever leaves", () => {
  for (const [leaves, left] of [[0, "bcd"], [1, "acd"], [3, "abc"]] as const) {
    const { ring, members } = ringOf("abcd");
    const member = members[leaves] as Named;
    ring.delete(member);
    assert.deepEqual([namesOf(ring), ring.size, member.linked], [left, 3, false]);
    ring.add(member);
    assert.deepEqual([namesOf(ring), ring.size], [`${left}${member.name}`, 4]);
  }
});

Deno.test("Ring counts a member once, however often it is added or taken out", () => {
  const { ring, members: [a, b] } = ringOf("ab");
  ring.add(a as Named);
  assert.deepEqual([namesOf(ring), ring.size], ["ab", 2]);
  ring.delete(b as Named);
  ring.delete(b as Named);
  assert.deepEqual([namesOf(ring), ring.size], ["a", 1]);
});

Deno.test("Ring tells of all that were there when it is emptied while it is gone through", () => {
  const { ring, members } = ringOf("abc");
  const seen: string[] = [];
  for (const member of ring) {
    seen.push(member.name);
    for (const other of members) ring.delete(other);
  }
  assert.deepEqual([seen, [...ring], ring.size], [["a", "b", "c"], [], 0]);
});

Deno.test("Link that has left leads nowhere: it keeps nobody alive", () => {
  const { ring, members: [, b] } = ringOf("abc");
  ring.delete(b as Named);
  assert.deepEqual([b?.next, b?.previous], [b, b]);
});
