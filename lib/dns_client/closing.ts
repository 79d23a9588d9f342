/**
 * Closes a socket when a signal aborts, so that whoever waits for it hears of it at once, or when what
 * it returns is disposed of; once, as a second time would throw.
 */
export function closingWith(signal: AbortSignal, socket: { close(): void }): Disposable {
  let isOpen = true;
  const close = () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  signal.addEventListener("abort", close, { once: true });
  return {
    [Symbol.dispose]() {
      signal.removeEventListener("abort", close);
      close();
    },
  };
}

/** A socket that asks a server of either family, from a port of its own. */
export function openDatagrams(hostname: string): Deno.DatagramConn {
  const any = hostname.includes(":") ? "::" : "0.0.0.0";
  return Deno.listenDatagram({ transport: "udp", hostname: any, port: 0 });
}
