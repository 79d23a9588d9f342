import tls, { type TLSSocket } from "node:tls";
import { tlsCredentials } from "./_tls_binding.ts";
import { NO_HANDLER, type StreamError, type TcpStream, type TlsHandler } from "./stream.ts";

/** More than is encrypted in one call, a few times over. */
const LARGE_OCTETS = 200_000;
const ALPN = "check";

/** Trusted by nobody and used for nothing else: both ends of the connection are this thread's. */
const CERT_PEM = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS2gAwIBAgIUH/WUfaJFYO4r2K7ayb49CY80OI0wCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNY2hlY2suaW52YWxpZDAgFw0yNjExMjYyMTE4NTRaGA8yMTI2
MTEwMjIxMTg1NFowGDEWMBQGA1UEAwwNY2hlY2suaW52YWxpZDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABHNr3n2ypmrkt2EA4y9jI7wK2cwxbduQMl5X7QnuTz6n
ZiefHDHZ3gsGc5UeGnalIelHxtG7asCUT7QcGnyx9zWjUzBRMB0GA1UdDgQWBBRX
H2fEOzmPrCbjhcFAFbrwxz+hmTAfBgNVHSMEGDAWgBRXH2fEOzmPrCbjhcFAFbrw
xz+hmTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDPKxNTGW2K
PTLczKfDzN1iBLBEDQZx/FBU6jYDahuRigIhAPd+FtDNGuFqvle6TgFh9LvtYUq9
Xq5rVpFSWjy/7UaZ
-----END CERTIFICATE-----
`;
const KEY_PEM = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9XeKTPoafk8k6AtB
WI8FrvYpMjFkjwYCtclST2QQIsehRANCAARza959sqZq5LdhAOMvYyO8CtnMMW3b
kDJeV+0J7k8+p2Ynnxwx2d4LBnOVHhp2pSHpR8bRu2rAlE+0HBp8sfc1
-----END PRIVATE KEY-----
`;

/** Waits for a step of the check, which has a deadline as a whole. */
export type Within = <T>(promise: Promise<T>, step: string) => Promise<T>;

/**
 * Shows on one connection what the rest of the program relies on of the runtime's TLS on handles: a
 * handshake whose first octets were read before, octets in order in both directions, writes that wait
 * and are told of when they have gone out, and the end of each side.
 *
 * @throws {Error} that says what was not as it should be.
 */
export async function checkTls(
  { port, accepted, within }: {
    readonly port: number;
    readonly accepted: Promise<TcpStream>;
    readonly within: Within;
  },
): Promise<void> {
  const client = tls.connect({ host: "127.0.0.1", port, ...CLIENT });
  client.on("error", () => {});
  const stream = await within(accepted, "accept for TLS");
  try {
    await exchange(client, new Probe(stream), within);
  } finally {
    client.destroy();
    stream.close();
  }
}

const CLIENT = { ALPNProtocols: [ALPN], rejectUnauthorized: false, servername: "check.invalid" };

async function exchange(client: TLSSocket, probe: Probe, within: Within): Promise<void> {
  const heard = new Heard(client);
  const alpn = await within(probe.secure, "a TLS handshake");
  if (alpn !== ALPN) throw new Error(`TLS agreed on ${alpn}`);
  const stream = probe.stream as TcpStream;
  stream.resume();
  client.write(Uint8Array.of(1, 2, 3));
  await within(probe.until(3), "octets over TLS");
  if (probe.sum !== 6) throw new Error("three octets over TLS did not arrive as they were sent");
  const large = new Uint8Array(LARGE_OCTETS).fill(1);
  if (stream.write(large)) throw new Error("a write over TLS was told at once to be taken");
  client.write(large);
  await within(probe.drained, "the end of a write over TLS");
  await within(heard.until(LARGE_OCTETS), "a large write over TLS");
  await within(probe.until(3 + LARGE_OCTETS), "a large read over TLS");
  if (heard.sum !== LARGE_OCTETS || probe.sum !== 6 + LARGE_OCTETS) {
    throw new Error("many octets over TLS did not arrive as they were sent");
  }
  client.end();
  await within(probe.ended, "the client's end over TLS");
  stream.end();
  await within(heard.ended, "our end over TLS");
}

/** Counts what came, and waits for more. */
class Count {
  octets = 0;
  sum = 0;
  #wanted = 0;
  #reached = Promise.withResolvers<void>();

  add(bytes: Uint8Array): void {
    this.octets += bytes.length;
    for (const octet of bytes) this.sum += octet;
    if (this.octets >= this.#wanted) this.#reached.resolve();
  }

  until(octets: number): Promise<void> {
    this.#wanted = octets;
    this.#reached = Promise.withResolvers();
    if (this.octets >= octets) this.#reached.resolve();
    return this.#reached.promise;
  }
}

/** The server's end: reads the hello as the program does, and then hands it over to TLS. */
class Probe extends Count implements TlsHandler {
  stream: TcpStream | undefined;
  readonly onReadError = (error: StreamError) => this.#secure.reject(error);
  readonly onWriteError = NO_HANDLER.onWriteError;
  readonly #secure = Promise.withResolvers<string | undefined>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #isSecure = false;

  constructor(below: TcpStream) {
    super();
    this.#secure.promise.catch(() => {});
    below.handler = {
      ...NO_HANDLER,
      onData: (bytes) => this.#accept(below, bytes.slice()),
    };
    below.resume();
  }

  get secure(): Promise<string | undefined> {
    return this.#secure.promise;
  }

  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  #accept(below: TcpStream, peeked: Uint8Array): void {
    below.pause();
    const credentials = tlsCredentials({ certPem: CERT_PEM, keyPem: KEY_PEM, alpn: [ALPN] });
    this.stream = below.acceptTls?.(peeked, { credentials, handler: this });
    if (this.stream === undefined) this.#secure.reject(new Error("there is no TLS on handles"));
  }

  onSecure(alpn: string | undefined): void {
    this.#isSecure = true;
    this.#secure.resolve(alpn);
  }

  onData(bytes: Uint8Array): void {
    if (this.#isSecure) this.add(bytes);
  }

  onEnd(): void {
    this.#ended.resolve();
  }

  onDrain(): void {
    this.#drained.resolve();
  }
}

/** The client's end. */
class Heard extends Count {
  readonly ended: Promise<void>;

  constructor(client: TLSSocket) {
    super();
    client.on("data", (bytes: Uint8Array) => this.add(bytes));
    this.ended = new Promise((resolve) => client.once("end", resolve));
  }
}
