import assert from "node:assert/strict";
import { decide, type Decision, type Sights } from "../../../lib/redirect/mod.ts";

const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const PATH = `/.well-known/acme-challenge/${TOKEN}`;

const sights: Sights = {
  httpsPort: (name) => name === "a.example" ? 443 : name === "b.example" ? 8443 : undefined,
  proof: (name, token) =>
    name === "p.example" || name === "a.example"
      ? token === TOKEN ? `${TOKEN}.thumb` : undefined
      : undefined,
};

function decided(authority: string, path = "/", method = "GET"): Decision {
  return decide({ method, authority, path }, sights);
}

const location = (authority: string, path?: string, method?: string) => {
  const found = decided(authority, path, method);
  return found.kind === "redirect" ? found.location : found.kind;
};

Deno.test("decide() sends a name with a route to https, at the port of the route", () => {
  assert.equal(location("a.example"), "https://a.example/");
  assert.equal(location("b.example"), "https://b.example:8443/");
  for (const method of ["GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"]) {
    assert.equal(location("a.example", "/x", method), "https://a.example/x", method);
  }
});

Deno.test("decide() sends back the name that it looked up, and no port of the client's", () => {
  for (const host of ["A.Example", "a.example.", "a.example:80", "A.EXAMPLE.:8080", "a.example:"]) {
    assert.equal(location(host), "https://a.example/", host);
  }
});

Deno.test("decide() sends back the target as it came", () => {
  const targets = [
    "/?",
    "/a//b/../c/./d;x=y?z=%2F%2f&q=%00#".slice(0, -1),
    "//evil.example/",
    "/\\evil.example",
    "/@evil.example:443/",
    "/%0d%0aset-cookie:x",
    '/"<>^`{|}',
  ];
  for (const target of targets) {
    assert.equal(location("a.example", target), `https://a.example${target}`);
  }
});

Deno.test("decide() resets whoever names no host of ours", () => {
  const hosts = [
    "",
    "c.example",
    "evil.example",
    "a.example.evil.example",
    "xa.example",
    "a.example:443:80",
    "a.example:x",
    "a.example:123456",
    "a.example,evil.example",
    "192.0.2.1",
    "192.0.2.1:80",
    "[2001:db8::1]",
    "[::1]:80",
    "user@a.example",
    "a..example",
    ".a.example",
    "-a.example",
    "a.example%00",
    "*.example",
    "2130706433",
    "0x7f.1",
  ];
  for (const host of hosts) assert.equal(decided(host).kind, "reset", host);
  assert.deepEqual(decided("C.example"), {
    kind: "reset",
    name: "c.example",
    reason: "no l7 route for this name",
  });
});

Deno.test("decide() refuses what has no target, of a name that it knows alone", () => {
  for (const [method, path] of [["CONNECT", ""], ["OPTIONS", "*"]] as const) {
    const found = decided("a.example", path, method);
    assert.equal(found.kind === "refuse" && found.status, 501);
    assert.equal(decided("c.example", path, method).kind, "reset");
  }
});

Deno.test("decide() shows a proof at its path and its name alone, also where there is no route", () => {
  for (const name of ["p.example", "P.example:80", "a.example"]) {
    for (const method of ["GET", "HEAD"]) {
      const found = decided(name, PATH, method);
      assert.equal(found.kind === "proof" && found.keyAuthorization, `${TOKEN}.thumb`);
    }
  }
  const others = [
    `${PATH}?`,
    `${PATH}/`,
    `${PATH}x`,
    PATH.slice(0, -1),
    `/x/..${PATH}`,
    `/${PATH}`,
    PATH.replace("well", "%77ell"),
    PATH.toUpperCase(),
    "/.well-known/acme-challenge/",
    "/.well-known/acme-challenge",
    `/.well-known/acme-challenge//${TOKEN}`,
  ];
  for (const path of others) {
    assert.equal(decided("p.example", path).kind, "reset", path);
    assert.equal(location("a.example", path), `https://a.example${path}`);
  }
  assert.equal(decided("p.example", PATH, "POST").kind, "reset");
  assert.equal(decided("c.example", PATH).kind, "reset");
});
