/**
 * Who a server says to be.
 *
 * @module
 */
import { connect } from "node:tls";

/** Who a server says to be, as a client sees it that trusts `ca`. */
export async function certificateOf(port: number, servername: string, ca: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, servername, ca });
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once(
        "secureConnect",
        () => resolve(String(socket.getPeerCertificate().subjectaltname)),
      );
      socket.once("error", reject);
    });
  } finally {
    socket.destroy();
  }
}
