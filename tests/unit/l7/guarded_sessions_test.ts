import assert from "node:assert/strict";
import {
  GuardedH1Client,
  GuardedH1Server,
  GuardedH2Session,
} from "../../../lib/l7/guarded_sessions.ts";

const TEXT = (text: string) => new TextEncoder().encode(text);

/** A handler whose method `fault` throws; all others do nothing. */
function handlerWith(fault: string): never {
  return new Proxy({}, {
    get: (_, name) => () => {
      if (name === fault) throw new Error(`fault in ${String(name)}`);
    },
  }) as never;
}

for (const fault of ["onRequest", "onData", "onTrailers", "onInvalid", "onOutput", "onClose"]) {
  Deno.test(`GuardedH1Server: what ${fault}() throws is reported once, and nothing follows`, () => {
    const crashes: unknown[] = [];
    const session = new GuardedH1Server({
      handler: handlerWith(fault),
      now: 0,
      onCrash: (error) => crashes.push(error),
    });
    if (fault === "onOutput") session.receive(TEXT("nonsense\r\n\r\n"), 1);
    const chunk = fault === "onInvalid" ? "zz\r\n" : "2\r\nok\r\n0\r\nx-checksum: 1\r\n\r\n";
    session.receive(
      TEXT(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTrailer: x-checksum\r\n" +
          `Transfer-Encoding: chunked\r\n\r\n${chunk}`,
      ),
      1,
    );
    session.receive(TEXT("nonsense\r\n\r\n"), 2);
    session.resume(2);
    session.takeOutput();
    session.receiveEnd(3);
    session.tick(100_000);
    session.abort("over");
    session.abort("over");
    assert.equal(crashes.length, 1);
    assert.match(String(crashes[0]), new RegExp(`fault in ${fault}`));
  });
}

for (const fault of ["onResponse", "onData", "onIdle", "onReset", "onClose"]) {
  Deno.test(`GuardedH1Client: what ${fault}() throws is reported once, and nothing follows`, () => {
    const crashes: unknown[] = [];
    const session = new GuardedH1Client({
      handler: handlerWith(fault),
      now: 0,
      onCrash: (error) => crashes.push(error),
    });
    const head = { method: "GET", scheme: "http", authority: "b", path: "/", fields: [] };
    session.request(head, true);
    session.takeOutput();
    const broken = fault === "onReset" || fault === "onClose";
    session.receive(
      TEXT(broken ? "HTTP/1.1 099\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
      1,
    );
    session.receive(TEXT("more"), 2);
    session.receiveEnd(2);
    session.takeOutput();
    session.abort("over");
    assert.equal(crashes.length, 1);
  });
}

Deno.test("GuardedH2Session: what a handler throws is reported once, and octets count as read", () => {
  const crashes: unknown[] = [];
  const session = new GuardedH2Session({
    role: "server",
    handler: handlerWith("onClose"),
    now: 0,
    onCrash: (error) => crashes.push(error),
  });
  session.takeOutput();
  const nonsense = TEXT("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  assert.equal(session.receive(nonsense, 1), nonsense.length);
  assert.equal(session.receive(nonsense, 1), nonsense.length);
  session.tick(100_000);
  assert.deepEqual(session.takeOutput(), []);
  session.abort("over");
  assert.equal(crashes.length, 1);
});
