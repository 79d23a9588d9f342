/**
 * A member of a ring; alone, it points to itself. Whoever holds one is found, put at the end and
 * taken out in a few instructions. A `Set` or `Map` that is filled and emptied all the time costs a
 * connection 1–2 µs, and leaves a chain of old tables, whose entries the young generation's collector
 * takes for alive.
 */
export class Link {
  next: Link = this;
  previous: Link = this;

  /** Whether it is in a ring. */
  get linked(): boolean {
    return this.next !== this;
  }

  /** Puts this one in front of `link`: at the end, if that is the ring's own. */
  insertBefore(link: Link): void {
    this.next = link;
    this.previous = link.previous;
    this.previous.next = this;
    link.previous = this;
  }

  /** Leaves the ring, and leads nowhere: what is gone must keep nothing alive. */
  remove(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.next = this.previous = this;
  }
}

/** Members in the order in which they came. */
export class Ring<T extends Link> implements Iterable<T> {
  /** Points to the first and the last; to itself when there is none. */
  readonly #own = new Link();
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds one at the end; one that is in it already stays where it is. */
  add(member: T): void {
    if (member.linked) return;
    member.insertBefore(this.#own);
    this.#size++;
  }

  /** Takes one out, if it is in. It is in no other. */
  delete(member: T): void {
    if (!member.linked) return;
    member.remove();
    this.#size--;
  }

  /** Those that are there now, whoever leaves or comes while they are gone through. */
  [Symbol.iterator](): ArrayIterator<T> {
    const members: T[] = [];
    for (let link = this.#own.next; link !== this.#own; link = link.next) members.push(link as T);
    return members.values();
  }
}
