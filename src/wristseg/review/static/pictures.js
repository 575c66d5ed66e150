// Pictures and class ids of frames: fetched once, the frames around the cursor ahead of time.

import { getBitmap, getIds } from "./api.js";

const KEPT = 24;
const AHEAD = [1, -1, 2, 3, -2];

export class Pictures {
  #store;
  #kept = new Map();

  constructor(store) {
    this.#store = store;
  }

  /** Everything of a frame: { bitmap, labels: { default: ids, ... }, model: ids or null, fault }. */
  get(number) {
    let entry = this.#kept.get(number);
    if (entry === undefined) {
      entry = { stop: new AbortController(), ready: null, now: null };
      entry.ready = this.#fetch(number, entry);
    }
    this.#kept.delete(number);
    this.#kept.set(number, entry); // used last
    this.#forgetOld();
    return entry.ready;
  }

  /** The same if it is there already, else null. */
  peek(number) {
    return this.#kept.get(number)?.now ?? null;
  }

  fetchAround(number) {
    const { list, place } = this.#store;
    const here = place.get(number);
    if (here === undefined) return;
    for (const by of AHEAD) {
      const other = list[here + by];
      if (other !== undefined && !this.#kept.has(other)) this.get(other);
    }
  }

  async #fetch(number, entry) {
    const { signal } = entry.stop;
    const at = `/api/frames/${number}`;
    const ids = (path) => getIds(path, signal).catch(() => null);
    try {
      const [bitmap, model, ...labels] = await Promise.all([
        getBitmap(`${at}/image`, signal),
        this.#store.modelReady ? ids(`${at}/model`) : null,
        ...this.#store.orders.map((order) => ids(`${at}/labels/${encodeURIComponent(order)}`)),
      ]);
      const byOrder = Object.fromEntries(this.#store.orders.map((order, i) => [order, labels[i]]));
      entry.now = { number, bitmap, model, labels: byOrder, fault: null };
    } catch (error) {
      const passing = signal.aborted || error.status === 0;
      if (passing && this.#kept.get(number) === entry) this.#kept.delete(number);
      entry.now = { number, bitmap: null, model: null, labels: {}, fault: error.message };
    }
    return entry.now;
  }

  /** Fetch everything anew: there is more to a frame than there was. */
  forget() {
    // What is under way may end: aborted, its connections would be in the way of the new ones.
    this.#kept.clear();
  }

  #forgetOld() {
    for (const [number, entry] of this.#kept) {
      if (this.#kept.size <= KEPT) return;
      entry.stop.abort();
      entry.now?.bitmap?.close();
      this.#kept.delete(number);
    }
  }
}
