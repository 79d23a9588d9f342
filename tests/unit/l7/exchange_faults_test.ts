import assert from "node:assert/strict";
import { WindowBudget } from "../../../lib/h2/mod.ts";
import type { Fields, ResponseInit } from "../../../lib/http/mod.ts";
import { Exchange } from "../../../lib/l7/exchange.ts";
import type { ExchangeOwner } from "../../../lib/l7/exchange_owner.ts";
import { STEPS } from "../../../lib/l7/exchange_steps.ts";
import { FieldRules } from "../../../lib/l7/field_rules.ts";
import { DEFAULT_HTTP_LIMITS } from "../../../lib/l7/http_limits.ts";
import type {
  BackendConnection,
  BackendStream,
  DownstreamStream,
} from "../../../lib/l7/message.ts";
import { WaitingExchange } from "../../../lib/l7/waiting_exchange.ts";
import { Deadlines } from "../../../lib/relay/mod.ts";
import type { Lease, Upstream, Waiter } from "../../../lib/upstream/mod.ts";

/** Every call that an exchange makes of somebody else, by name. */
const CALLS = [
  "client.respond",
  "client.sendData",
  "client.sendTrailers",
  "client.consume",
  "client.reset",
  "upstream.acquire",
  "upstream.cancel",
  "lease.release",
  "link.request",
  "stream.sendData",
  "stream.sendTrailers",
  "stream.consume",
  "stream.reset",
  "owner.ended",
  "owner.now",
] as const;
type Call = typeof CALLS[number];

const BYTES = new Uint8Array(10);
const RESPONSE = { status: 200, fields: [], contentLength: -1 };

/** An exchange between parts that note what is called, and throw at one call. */
class Stage {
  readonly called: string[] = [];
  readonly crashes: unknown[] = [];
  readonly statuses: number[] = [];
  readonly fields: Fields[] = [];
  readonly said: string[] = [];
  endings = 0;
  leases = 0;
  readonly exchange: Exchange;
  #fault: Call | undefined;
  /** Which of its calls throws, counted from 1. */
  #countdown: number;
  readonly #upstream: Upstream<BackendConnection>;
  readonly #client: DownstreamStream;

  constructor(fault?: Call, nth = 1, protocol = "") {
    this.#countdown = nth;
    this.#client = {
      respond: ({ status, fields }: ResponseInit) => {
        this.#call("client.respond");
        this.statuses.push(status);
        this.fields.push(fields);
      },
      sendData: (bytes: Uint8Array) => {
        this.said.push(new TextDecoder().decode(bytes));
        return this.#call("client.sendData", false);
      },
      sendTrailers: () => this.#call("client.sendTrailers"),
      consume: () => this.#call("client.consume"),
      reset: () => this.#call("client.reset"),
    } as DownstreamStream;
    const stream = {
      sendData: () => this.#call("stream.sendData", false),
      sendTrailers: () => this.#call("stream.sendTrailers"),
      consume: () => this.#call("stream.consume"),
      reset: () => this.#call("stream.reset"),
    } as BackendStream;
    const link = {
      protocol: "http/1.1",
      takesTunnels: true,
      request: () => this.#call("link.request", stream),
    } as unknown as BackendConnection;
    const release = () => {
      this.leases--;
      this.#call("lease.release");
    };
    this.#upstream = {
      acquire: (waiter: Waiter<BackendConnection>) => {
        this.#call("upstream.acquire");
        this.leases++;
        waiter.onLease({ link, release } as Lease<BackendConnection>);
      },
      cancel: () => this.#call("upstream.cancel"),
      forget: () => {},
    };
    const owner: ExchangeOwner = {
      facts: { ip: "192.0.2.1", trusted: false },
      rules: new FieldRules(),
      limits: DEFAULT_HTTP_LIMITS,
      windows: new WindowBudget(0),
      pages: new Map(),
      idleFor: () =>
        new Deadlines(60_000, { now: () => 0, wallNow: () => 0, every: () => () => {} }),
      now: () => this.#call("owner.now", 0),
      failedOver: () => {},
      ended: () => {
        this.endings++;
        this.#call("owner.ended");
      },
      crashed: (_, error) => this.crashes.push(error),
    };
    const fields = ["content-type", "text/plain"];
    const head = {
      method: protocol === "" ? "POST" : "CONNECT",
      scheme: "https",
      authority: "a.test",
      path: "/",
      protocol,
      fields,
      contentLength: -1,
    };
    this.exchange = new Exchange(owner, this.#client, {
      head,
      endStream: false,
      id: "x",
      protocol: "h2",
    });
    this.#fault = fault;
  }

  forward(): void {
    this.exchange.forward({ upstream: this.#upstream, client: "c", affinity: undefined });
  }

  /** A whole exchange: content both ways, held back and let go, trailers both ways. */
  run(): void {
    const { exchange } = this;
    exchange.requestData(BYTES, false); // Before there is a stream.
    this.forward();
    exchange.requestData(BYTES, false);
    exchange.onDrain();
    exchange.onResponse({ ...RESPONSE, status: 103 }, false);
    exchange.onResponse(RESPONSE, false);
    exchange.onData(BYTES, false);
    exchange.downstreamDrained();
    exchange.requestTrailers(["x-checksum", "1"]);
    exchange.onTrailers(["x-sum", "1"]);
  }

  /** Ends that are not good ones. */
  runToFailure(end: (exchange: Exchange) => void): void {
    this.forward();
    end(this.exchange);
  }

  #call<T>(name: Call, answer?: T): T {
    this.called.push(name);
    if (name === this.#fault && --this.#countdown === 0) throw new Error(`fault in ${name}`);
    return answer as T;
  }
}

const ENDS: Readonly<Record<string, (exchange: Exchange) => void>> = {
  "the backend fails": (exchange) =>
    exchange.onFailure({
      kind: "reset",
      reason: "gone",
      unprocessed: false,
      untouched: true,
      code: 2,
    }),
  "no connection": (exchange) => exchange.onUnavailable({ kind: "busy", reason: "full" }),
  "the client leaves": (exchange) => exchange.downstreamGone(8, "left"),
  "nothing moves": (exchange) => exchange.expire(),
  "it is refused": (exchange) => exchange.refuse(403, "no"),
  "it is malformed": (exchange) => exchange.requestInvalid("bad chunk"),
  "an answer ends early": (exchange) => exchange.onResponse({ ...RESPONSE, status: 413 }, true),
  "an answer breaks off": (exchange) => {
    exchange.onResponse(RESPONSE, false);
    exchange.expire();
  },
};

/** What has to hold, whatever threw. */
function check(stage: Stage, fault: string, { clientLeft = false } = {}): void {
  const { exchange, crashes } = stage;
  if (crashes.length === 0) return;
  assert.equal(exchange.over, true, `${fault}: it is over`);
  assert.equal(crashes.length, 1, `${fault}: it is reported once`);
  assert.match(String(crashes[0]), /fault in/);
  assert.equal(stage.leases, 0, `${fault}: its connection is given back`);
  assert.ok(stage.endings <= 1, `${fault}: it ends once`);
  const told = clientLeft || stage.statuses.some((status) => status >= 200) ||
    stage.called.filter((name) => name === "client.reset").length > 0 ||
    stage.called.filter((name) => name === "client.respond").length > 0;
  assert.ok(told, `${fault}: the client is not left waiting`);
}

Deno.test("an exchange in which nothing throws makes every call of the list but cancel() and reset()", () => {
  const stage = new Stage();
  stage.run();
  assert.deepEqual(stage.crashes, []);
  const never = CALLS.filter((name) => !stage.called.includes(name));
  assert.deepEqual(never, ["client.reset", "upstream.cancel", "stream.reset"]);
  assert.deepEqual([stage.statuses, stage.endings, stage.leases], [[103, 200], 1, 0]);
});

for (const call of CALLS) {
  Deno.test(`whatever ${call} throws, at whichever call, ends one exchange and nothing else`, () => {
    let thrown = 0;
    for (let nth = 1; nth <= 8; nth++) {
      const stage = new Stage(call, nth);
      stage.run();
      check(stage, `${call} ${nth}`);
      thrown += stage.crashes.length;
      for (const [name, end] of Object.entries(ENDS)) {
        const other = new Stage(call, nth);
        other.runToFailure(end);
        const clientLeft = name === "the client leaves";
        check(other, `${call} ${nth} when ${name}`, { clientLeft });
        thrown += other.crashes.length;
      }
    }
    assert.ok(thrown > 0 || call === "upstream.cancel", "the fault was met");
  });
}

Deno.test("a fault before the answer is a 502, one after it a reset", () => {
  const before = new Stage("link.request");
  before.run();
  assert.deepEqual(before.statuses, [502]);
  assert.match(before.exchange.reason ?? "", /internal_error: fault in link.request/);
  assert.equal(before.exchange.status, 502);
  const after = new Stage("client.sendTrailers");
  after.run();
  assert.deepEqual(after.statuses, [103, 200]);
  assert.ok(after.called.includes("client.reset"));
  assert.ok(after.called.includes("stream.reset"));
});

/** What the two halves of an exchange call of each other: the compiler keeps everybody else away. */
const PROTECTED = ["acquire", "backendAnswers", "leave", "repeats", "send"];

Deno.test("every public method that a client, a pool or a backend calls is guarded", () => {
  const methods = new Set<string>();
  for (const { prototype } of [WaitingExchange, Exchange]) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const { value } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
      if (typeof value === "function") methods.add(name);
    }
  }
  for (const name of ["constructor", "crash", ...PROTECTED]) assert.ok(methods.delete(name), name);
  assert.deepEqual([...methods].sort(), [...STEPS].sort());
});

const PAGE = { contentType: "text/html", body: new TextEncoder().encode("<p>sorry") };

Deno.test("whoever meets a fault reads the route's words, with its fields", () => {
  const stage = new Stage("link.request");
  stage.exchange.rules = {
    pages: new Map([[502, PAGE]]),
    editResponse: (fields) => [...fields, "x-own", "a"],
  };
  stage.forward();
  assert.deepEqual([stage.crashes.length, stage.statuses, stage.said], [1, [502], ["<p>sorry"]]);
  assert.deepEqual(stage.fields[0]?.slice(0, 2), ["content-type", "text/html"]);
  assert.deepEqual(stage.fields[0]?.slice(-2), ["x-own", "a"]);
});

Deno.test("a fault in what a route does with answers is told in the proxy's own words", () => {
  const stage = new Stage("link.request");
  stage.exchange.rules = {
    pages: new Map([[502, PAGE]]),
    editResponse: () => {
      throw new Error("fault in an edit");
    },
  };
  stage.forward();
  assert.deepEqual([stage.statuses, stage.said], [[502], ["502 Bad Gateway\n"]]);
  assert.equal(stage.exchange.over, true);
});
