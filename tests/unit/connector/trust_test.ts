import "reflect-metadata";
import assert from "node:assert/strict";
import * as x509 from "@peculiar/x509";
import {
  checkTrust,
  loadRevocationLists,
  parseAuthorities,
  TrustMemory,
} from "../../../lib/connector/mod.ts";
import {
  type Authority,
  type AuthorityOptions,
  certificateOf,
  createAuthority,
  issueCertificate,
  type IssuedCertificate,
  issueRevocationList,
} from "../../support/certificates.ts";
import {
  ALICE,
  below,
  derOf,
  HOUR_MS,
  ISSUER,
  NOW,
  parsed,
  root,
  trust,
} from "../../support/trusting.ts";

/** An intermediate below the root, as `options` spoil it, with a leaf. */
async function spoilt(options: Partial<AuthorityOptions>): Promise<string> {
  const middle = await createAuthority({ commonName: "middle", issuer: root, ...options });
  return trust([await below(middle), middle]);
}

Deno.test("checkTrust() follows any number of intermediates, in any order, beside strangers", async () => {
  const one = await createAuthority({ commonName: "one", issuer: root });
  const two = await createAuthority({ commonName: "two", issuer: one });
  const three = await createAuthority({ commonName: "three", issuer: two });
  const stranger = await createAuthority({ commonName: "stranger" });
  const leaf = await below(three);
  assert.equal(trust([leaf, three, two, one]), "holds");
  assert.equal(trust([leaf, stranger, one, root, three, two]), "holds");
  assert.equal(trust([await below(root)]), "holds");
  assert.equal(trust([leaf, three, one]), "untrusted");
  assert.equal(trust([leaf, three, two, one], { authorities: [stranger] }), "untrusted");
  assert.equal(trust([leaf, three, two, one], { authorities: [two] }), "holds");
  assert.equal(trust([leaf], { authorities: [] }), "untrusted");
  assert.equal(trust([]), "untrusted");
});

Deno.test("checkTrust() believes a key, never a name", async () => {
  const namesake = await createAuthority({ commonName: "root" });
  assert.equal(trust([await below(namesake)]), "untrusted");
  assert.equal(trust([await below(namesake), namesake]), "untrusted");
  // Both are named: the second one is tried when the first one did not sign.
  assert.equal(trust([await below(root)], { authorities: [namesake, root] }), "holds");
  // A chain that runs in a circle ends.
  const keys = root.keys;
  const a = await createAuthority({
    commonName: "a",
    issuer: { ...root, cert: namesake.cert },
    keys,
  });
  assert.equal(trust([await below(a), a, a, namesake], { authorities: [a] }), "holds");
});

Deno.test("checkTrust() refuses a certificate whose octets were changed after it was signed", async () => {
  const der = derOf(await below(root));
  const at = (text: string) => {
    const octets = [...new TextEncoder().encode(text)];
    return der.findIndex((_, i) => octets.every((octet, j) => der[i + j] === octet));
  };
  const forged = der.slice();
  forged.set(new TextEncoder().encode("bobby"), at("alice"));
  const authorities = parseAuthorities([root.certPem]);
  const memory = new TrustMemory();
  assert.ok(checkTrust([certificateOf(der)], { authorities, memory, nowMs: NOW }).ok);
  assert.equal(checkTrust([certificateOf(forged)], { authorities, memory, nowMs: NOW }).ok, false);
  const swapped = der.slice();
  swapped[swapped.length - 1] = (swapped.at(-1) ?? 0) ^ 1;
  assert.equal(checkTrust([certificateOf(swapped)], { authorities, memory, nowMs: NOW }).ok, false);
});

Deno.test("checkTrust() takes only issuers that may issue certificates of clients", async () => {
  const { cRLSign, digitalSignature, keyCertSign } = x509.KeyUsageFlags;
  const serverOnly = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]);
  const clients = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]);
  const strange = new x509.Extension("1.2.3.4", true, Uint8Array.of(5, 0));
  const cases: readonly (readonly [Partial<AuthorityOptions>, string])[] = [
    [{}, "holds"],
    [{ keyUsages: keyCertSign }, "holds"],
    [{ keyUsages: cRLSign }, "untrusted: an issuer may not sign certificates (KeyUsage)"],
    [{ keyUsages: digitalSignature }, "untrusted: an issuer may not sign certificates (KeyUsage)"],
    [{ isAuthority: false }, "untrusted: an issuer is not an authority"],
    [{ extensions: [clients] }, "holds"],
    [
      { extensions: [serverOnly] },
      "untrusted: an issuer may not issue for clients (ExtendedKeyUsage)",
    ],
    [{ extensions: [strange] }, "untrusted: an issuer's critical extension 1.2.3.4 is unknown"],
    [{ extensions: [new x509.Extension("1.2.3.4", false, Uint8Array.of(5, 0))] }, "holds"],
  ];
  for (const [options, want] of cases) assert.equal(await spoilt(options), want);
  // The same of an authority that the operator has named.
  const weak = await createAuthority({ commonName: "weak", keyUsages: cRLSign });
  assert.equal(
    trust([await below(weak)], { authorities: [weak] }),
    "untrusted: an issuer may not sign certificates (KeyUsage)",
  );
  // A leaf that issues: the hole of every naive verifier.
  const leaf = await below(root);
  const child = await below({ ...leaf, chainPem: "" } as Authority);
  assert.equal(trust([child, leaf]), "untrusted: an issuer is not an authority");
});

Deno.test("checkTrust() holds the length of the path, self-issued authorities aside", async () => {
  const one = await createAuthority({ commonName: "one", issuer: root, pathLength: 0 });
  const two = await createAuthority({ commonName: "two", issuer: one });
  assert.equal(trust([await below(one), one]), "holds");
  const tooLong = "untrusted: the path is longer than an issuer allows";
  assert.equal(trust([await below(two), two, one]), tooLong);
  const wide = await createAuthority({ commonName: "wide", issuer: root, pathLength: 1 });
  const next = await createAuthority({ commonName: "next", issuer: wide });
  assert.equal(trust([await below(next), next, wide]), "holds");
  const again = await createAuthority({ commonName: "one", issuer: one });
  assert.equal(trust([await below(again), again, one]), "holds");
});

Deno.test("checkTrust() holds every certificate of the path against the clock, ends included", async () => {
  const start = Math.floor(NOW / 1000) * 1000 - HOUR_MS;
  const ends = [1, 2, 3].map((hours) => new Date(start + hours * HOUR_MS)) as [Date, Date, Date];
  const notBefore = new Date(start);
  for (const [first, second, third] of [[0, 1, 2], [1, 0, 2], [1, 2, 0]] as const) {
    const top = await createAuthority({ commonName: "top", notBefore, notAfter: ends[first] });
    const middle = await createAuthority({
      commonName: "middle",
      issuer: top,
      notBefore,
      notAfter: ends[second],
    });
    const options = {
      uris: [ALICE],
      usages: ["client"],
      notBefore,
      notAfter: ends[third],
    } as const;
    const chain = [await issueCertificate(middle, options), middle];
    const at = (nowMs: number) => trust(chain, { authorities: [top], nowMs }).split(":")[0];
    const [earliest] = ends;
    assert.deepEqual(
      [start - 1, start, earliest.getTime(), earliest.getTime() + 1].map(at),
      ["not_yet_valid", "holds", "holds", "expired"],
    );
    const result = checkTrust(chain.map(parsed), {
      authorities: parseAuthorities([top.certPem]),
      nowMs: start,
    });
    assert.ok(result.ok);
    assert.equal(result.notAfter, earliest.getTime(), "a session ends with the first of them");
  }
  // One that has expired is passed over for its successor of the same name and key.
  const keys = root.keys;
  const old = await createAuthority({ commonName: "root", keys, notAfter: new Date(NOW - 1000) });
  assert.equal(trust([await below(root)], { authorities: [old, root] }), "holds");
  assert.equal(trust([await below(root)], { authorities: [old] }), "expired: an issuer");
});

Deno.test("checkTrust() does not take a signature of one key for that of a namesake", async () => {
  const memory = new TrustMemory();
  const leaf = await below(root);
  assert.equal(trust([leaf], { memory }), "holds");
  const namesake = await createAuthority({ commonName: "root" });
  assert.equal(trust([leaf], { authorities: [namesake], memory }), "untrusted");
  assert.equal(trust([leaf], { memory }), "holds");
});

Deno.test("checkTrust() refuses a leaf with a critical extension that nobody knows", async () => {
  const strange = (critical: boolean) =>
    issueCertificate(root, {
      uris: [ALICE],
      usages: ["client"],
      extensions: [new x509.Extension("1.2.3.4", critical, Uint8Array.of(5, 0))],
    });
  assert.equal(trust([await strange(false)]), "holds");
  assert.equal(
    trust([await strange(true)]),
    "untrusted: its critical extension 1.2.3.4 is unknown",
  );
});

/** NameConstraints of URIs. */
function uriConstraints(permitted: readonly string[], excluded: readonly string[]): x509.Extension {
  const wrap = (tag: number, ...parts: number[][]) => {
    const content = parts.flat();
    assert.ok(content.length < 128);
    return [tag, content.length, ...content];
  };
  const subtrees = (tag: number, hosts: readonly string[]) =>
    hosts.length === 0 ? [] : wrap(
      tag,
      ...hosts.map((host) => wrap(0x30, wrap(0x86, [...new TextEncoder().encode(host)]))),
    );
  const der = wrap(0x30, subtrees(0xa0, permitted), subtrees(0xa1, excluded));
  return new x509.Extension("2.5.29.30", true, Uint8Array.from(der));
}

Deno.test("checkTrust() holds the URI against the constraints of every issuer", async () => {
  const no = "untrusted: an issuer's NameConstraints exclude the URI";
  const cases: readonly (readonly [readonly string[], readonly string[], string])[] = [
    [[ISSUER], [], "holds"],
    [[ISSUER.toUpperCase()], [], "holds"],
    [["other.test"], [], no],
    [["other.test", ISSUER], [], "holds"],
    [[`.${ISSUER}`], [], no],
    [[".test"], [], "holds"],
    [["cme.test"], [], no],
    [[], [ISSUER], no],
    [[], ["other.test"], "holds"],
    [[ISSUER], [".test"], no],
  ];
  for (const [permitted, excluded, want] of cases) {
    const extensions = [uriConstraints(permitted, excluded)];
    assert.equal(await spoilt({ extensions }), want, `${permitted} but not ${excluded}`);
  }
});

Deno.test("checkTrust() refuses what a list of today names, anywhere in the chain", async () => {
  const middle = await createAuthority({ commonName: "middle", issuer: root });
  const leaf = await below(middle);
  const listing = async (issuer: Authority, revoked: IssuedCertificate[]) => {
    const text = new TextEncoder().encode(await issueRevocationList(issuer, revoked));
    const authorities = [root.certPem, middle.certPem];
    const loaded = loadRevocationLists([text], { authorities, nowMs: NOW });
    assert.ok(loaded.ok);
    return { lists: loaded.lists };
  };
  const chain = [leaf, middle];
  assert.equal(trust(chain, await listing(middle, [])), "holds");
  assert.equal(trust(chain, await listing(middle, [leaf])), "revoked");
  assert.equal(trust(chain, await listing(root, [middle])), "revoked");
});
