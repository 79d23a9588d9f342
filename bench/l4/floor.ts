/**
 * The least that a relay can do on the runtime's handles: it accepts, reads once, connects, and passes
 * octets and ends on. No firewall, no look at the hello, no deadlines, no limits, no log, and no care
 * for slow readers. What mc-proxy costs beyond this is its own; what this costs is the kernel's and
 * the runtime's.
 *
 * Usage: `deno run -A floor.ts PORT BACKEND_PORT`
 *
 * @module
 */
import { EOF, loadBinding, type Request, type TcpHandle } from "../../lib/tcp/_binding.ts";

const [port = 0, backendPort = 0] = Deno.args.map(Number);
const LOOPBACK = "127.0.0.1";
const BACKLOG = 4096;
const binding = loadBinding();
/** What every read fills. */
const shared = new Uint8Array(64 * 1024);

/** One end of a connection. */
class Side {
  readonly handle: TcpHandle;
  other: Side | undefined;
  ended = false;
  closed = false;

  constructor(handle: TcpHandle) {
    this.handle = handle;
    handle.owner = this;
    handle.useUserBuffer(shared);
  }

  relayTo(other: Side): void {
    this.other = other;
    this.handle.onread = onRead;
    this.handle.readStart();
  }

  write(bytes: Uint8Array): void {
    this.handle.writeBuffer({ oncomplete() {} }, bytes);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.handle.close();
  }
}

function onRead(this: TcpHandle): void {
  const side = this.owner as Side;
  const other = side.other as Side;
  const count = binding.state[binding.READ] as number;
  if (side.closed || count === 0) return;
  if (count > 0) return other.write(shared.slice(0, count));
  side.ended = true;
  if (count === EOF && !other.ended) return void other.handle.shutdown({ oncomplete() {} });
  side.close();
  other.close();
}

/** The first read of a client: it is passed on when the backend is there. */
function onHello(this: TcpHandle): void {
  const client = this.owner as Side;
  const count = binding.state[binding.READ] as number;
  this.readStop();
  if (count <= 0) return client.close();
  const hello = shared.slice(0, count);
  const backend = new Side(binding.create());
  const request: Request = {
    oncomplete(status) {
      if (status !== 0) return client.close();
      backend.write(hello);
      client.relayTo(backend);
      backend.relayTo(client);
    },
  };
  backend.handle.connect(request, LOOPBACK, backendPort);
}

const listening = binding.create();
listening.bind(LOOPBACK, port);
listening.onconnection = () => {
  const client = new Side(binding.create());
  if (listening.accept(client.handle) !== 0) return client.close();
  client.handle.getpeername({});
  client.handle.onread = onHello;
  client.handle.readStart();
};
listening.listen(BACKLOG);
