/** The configuration and the database do not make a servable whole; the message says why. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: "no_listeners" | "geoip_unavailable" | "invalid_row" | "port_in_use";

  constructor(code: ControlError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
