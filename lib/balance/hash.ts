/**
 * Rendezvous hashing: every client ranks all backends by a hash of both, and takes the first that
 * can be used. One that goes takes along its own clients and no others, and gets them back.
 *
 * @module
 */

/** A text in 32 bits (FNV-1a). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mixed(hash);
}

/**
 * How much a client wants a backend of some weight: over many clients each backend is wanted most by
 * its part of them (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables").
 */
export function rendezvous(client: number, backend: number, weight: number): number {
  const point = (mixed(Math.imul(client, 0x9e3779b1) ^ mixed(backend ^ client)) + 0.5) / 2 ** 32;
  return -weight / Math.log(point);
}

/** The last step of MurmurHash3: each bit of what goes in changes half of those that come out. */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
