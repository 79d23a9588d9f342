/** Routes name private keys and the addresses of a network: nobody else's business. */
export const FILE_MODE = 0o600;
