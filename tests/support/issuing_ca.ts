/**
 * A CA of the tests that issues, and at any of its steps says what a test wants instead. It believes
 * signatures and proofs: those are Pebble's to check.
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { type Authority, createAuthority, issueCertificate } from "./certificates.ts";
import { directoryOf, type FakeCa, startFakeCa } from "./fake_ca.ts";

/** What it is asked for. */
export type Step =
  | "newAccount"
  | "newOrder"
  | "order"
  | "authz"
  | "challenge"
  | "finalize"
  | "cert"
  | "keyChange"
  | "renewalInfo"
  | "revokeCert";

/** Says something else than it would; nothing: it goes on as ever. */
export type Instead = (
  step: Step,
  name: string,
) => Response | Promise<Response | undefined> | undefined;

/** An order as it stands. */
interface FakeOrder {
  readonly name: string;
  readonly token: string;
  proved: boolean;
  certPem?: string;
}

/** A CA that runs. */
export interface IssuingCa extends AsyncDisposable {
  readonly directory: string;
  readonly caPem: string;
  /** PEM of the root that its certificates hang on. */
  readonly root: string;
  /** The names of the orders that were begun, in order. */
  readonly ordered: readonly string[];
  /** Of the last order. */
  readonly token: () => string;
  /** The keys of its one account, as JSON, in the order in which they were valid. */
  readonly accountKeys: string[];
  /** What it answers for renewal information. */
  window: { readonly start: string; readonly end: string } | undefined;
}

/** Starts one; `instead` is asked before each step. */
export async function startIssuingCa(instead: Instead = () => undefined): Promise<IssuingCa> {
  const authority = await createAuthority({ commonName: "fake root" });
  const orders: FakeOrder[] = [];
  const ordered: string[] = [];
  const accountKeys: string[] = [];
  const ca: FakeCa = await startFakeCa(async (path, request) => {
    const [, step = "", id = ""] = path.split("/");
    if (step === "dir") return directoryOf(ca);
    const { header, payload } = await readJws(request);
    const order = id === "" ? undefined : orders[Number(id)];
    const asked = (payload as { identifiers?: { value: string }[] }).identifiers?.[0]?.value;
    const other = await instead(step as Step, order?.name ?? asked ?? "");
    if (other !== undefined) return other;
    switch (step as Step) {
      case "newAccount":
        return accountOf(header.jwk, payload);
      case "keyChange":
        accountKeys.push(JSON.stringify(await readInnerKey(payload)));
        return Response.json({});
      case "newOrder": {
        const token = crypto.getRandomValues(new Uint8Array(24)).toBase64({
          alphabet: "base64url",
        });
        orders.push({ name: asked ?? "", token, proved: false });
        ordered.push(asked ?? "");
        return shown(orders.length - 1, { location: ca.url(`/order/${orders.length - 1}`) });
      }
      case "order":
        return shown(Number(id));
      case "authz":
        return authorization(Number(id));
      case "challenge":
        if (order !== undefined) order.proved = true;
        return Response.json({ status: "processing" });
      case "finalize":
        if (order !== undefined) {
          order.certPem = await issue(
            authority,
            order.name,
            String((payload as { csr: string }).csr),
          );
        }
        return shown(Number(id));
      case "cert":
        return new Response(order?.certPem);
      case "renewalInfo":
        return self.window === undefined
          ? new Response(null, { status: 404 })
          : Response.json({ suggestedWindow: self.window });
      case "revokeCert":
        return new Response();
    }
  });
  const accountOf = (jwk: unknown, payload: unknown) => {
    const key = JSON.stringify(jwk);
    const isKnown = accountKeys.at(-1) === key;
    if ((payload as { onlyReturnExisting?: boolean }).onlyReturnExisting === true && !isKnown) {
      const type = "urn:ietf:params:acme:error:accountDoesNotExist";
      return Response.json({ type }, { status: 400 });
    }
    if (!isKnown) accountKeys.push(key);
    const headers = { location: ca.url("/account") };
    return Response.json({ status: "valid" }, { status: isKnown ? 200 : 201, headers });
  };
  const shown = (id: number, headers: Record<string, string> = {}) => {
    const { name, proved, certPem } = orders[id] as FakeOrder;
    return Response.json({
      status: certPem !== undefined ? "valid" : proved ? "ready" : "pending",
      identifiers: [{ type: "dns", value: name }],
      authorizations: [ca.url(`/authz/${id}`)],
      finalize: ca.url(`/finalize/${id}`),
      ...certPem !== undefined && { certificate: ca.url(`/cert/${id}`) },
    }, { headers });
  };
  const authorization = (id: number) => {
    const { name, token, proved } = orders[id] as FakeOrder;
    const status = proved ? "valid" : "pending";
    const challenges = ["tls-alpn-01", "http-01"].map((type) => {
      return { type, token, status, url: ca.url(`/challenge/${id}`) };
    });
    return Response.json({ status, identifier: { type: "dns", value: name }, challenges });
  };
  const self: IssuingCa = {
    ...{ directory: ca.directory, caPem: ca.caPem, root: authority.certPem },
    ...{ ordered, accountKeys, window: undefined },
    token: () => orders.at(-1)?.token ?? "",
    [Symbol.asyncDispose]: () => ca[Symbol.asyncDispose](),
  };
  return self;
}

interface Jws {
  readonly header: { readonly jwk?: unknown };
  readonly payload: unknown;
}

async function readJws(request: Request): Promise<Jws> {
  if (request.method !== "POST") return { header: {}, payload: {} };
  const { protected: header, payload } = await request.json();
  return {
    header: decode(header) as Jws["header"],
    payload: payload === "" ? {} : decode(payload),
  };
}

/** Of the key that an account goes over to (RFC 8555 §7.3.5). */
function readInnerKey(payload: unknown): unknown {
  return (decode((payload as { protected: string }).protected) as { jwk: unknown }).jwk;
}

function decode(text: string): unknown {
  const octets = Uint8Array.fromBase64(text, { alphabet: "base64url" });
  return JSON.parse(new TextDecoder().decode(octets));
}

async function issue(authority: Authority, name: string, csr: string): Promise<string> {
  const octets = Uint8Array.fromBase64(csr, { alphabet: "base64url" });
  const publicKey = await new x509.Pkcs10CertificateRequest(octets).publicKey.export();
  const keys = { publicKey, privateKey: authority.keys.privateKey };
  const { certPem } = await issueCertificate(authority, {
    dnsNames: [name],
    usages: ["server"],
    keys,
  });
  return certPem;
}
