/**
 * The backend behind every proxy of the comparison, in a process of its own: `echo` answers each
 * read with 64 octets, `bulk` sends without end once it has read anything.
 *
 * Usage: `deno run --allow-net backend.ts ECHO_PORT BULK_PORT`
 *
 * @module
 */
const REPLY = new Uint8Array(64);
const BULK = new Uint8Array(256 * 1024);
/** As many buffers as ever were needed at once. */
const free: Uint8Array<ArrayBuffer>[] = [];

async function echo(conn: Deno.TcpConn): Promise<void> {
  const buffer = free.pop() ?? new Uint8Array(2048);
  conn.setNoDelay();
  while (await conn.read(buffer) !== null) await conn.write(REPLY);
  free.push(buffer);
}

async function bulk(conn: Deno.TcpConn): Promise<void> {
  await conn.read(new Uint8Array(2048));
  for (;;) await conn.write(BULK);
}

async function serve(port: number, answer: (conn: Deno.TcpConn) => Promise<void>): Promise<void> {
  for await (const conn of Deno.listen({ hostname: "127.0.0.1", port })) {
    answer(conn).catch(() => {}).finally(() => conn.close()); // The load resets its connections.
  }
}

const [echoPort, bulkPort] = Deno.args.map(Number);
await Promise.all([serve(echoPort ?? 0, echo), serve(bulkPort ?? 0, bulk)]);
