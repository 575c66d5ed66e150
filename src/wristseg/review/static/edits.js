// Changes of marks, one after another: each is sent when the one before it is on disk.

import { ApiError, getJson, postJson } from "./api.js";

export class Edits extends EventTarget {
  #store;
  #tell;
  #queue = [];
  #running = false;

  /** tell(text, bad) shows a note. */
  constructor(store, tell) {
    super();
    this.#store = store;
    this.#tell = tell;
  }

  get pending() {
    return this.#queue.length;
  }

  mark(changes) {
    this.#store.expect(changes);
    return this.#add("/api/marks", { changes });
  }

  undo() {
    return this.#add("/api/undo", {});
  }

  redo() {
    return this.#add("/api/redo", {});
  }

  /** Take in marks that another tab or program made, unless a change of ours is under way. */
  takeMarks(marks) {
    if (!this.#running && marks.version !== this.#store.version) this.#store.takeMarks(marks);
  }

  /** Returns what the server answered, or null for a change that was not saved. */
  #add(path, body) {
    return new Promise((resolve) => {
      this.#queue.push({ path, body, resolve });
      if (!this.#running) this.#work();
    });
  }

  async #work() {
    this.#running = true;
    this.#say("saving");
    let state = "saved";
    while (this.#queue.length > 0) {
      const { path, body, resolve } = this.#queue[0];
      try {
        const answer = await postJson(path, { ...body, version: this.#store.version });
        this.#queue.shift();
        this.#store.version = answer.version;
        this.#store.onDisk = answer;
        if (this.#queue.length === 0) this.#store.takeMarks(answer);
        resolve(answer);
      } catch (error) {
        state = await this.#recover(error);
        // What was asked for on marks that are no longer shown is dropped as well.
        for (const dropped of this.#queue.splice(0)) dropped.resolve(null);
      }
    }
    this.#running = false;
    this.#say(state);
  }

  async #recover(error) {
    if (!(error instanceof ApiError)) throw error;
    const isStale = error.status === 409 && error.body?.marks !== undefined;
    const text = isStale
      ? "The marks were changed elsewhere (another tab or program) and are shown anew. " +
        "Your last change was not saved: make it again if it is still right."
      : `Not saved: ${error.message}`;
    this.#tell(text, true);
    const marks = isStale
      ? error.body.marks
      : await getJson("/api/state").then((state) => state.marks, () => this.#store.onDisk);
    this.#store.takeMarks(marks);
    return isStale ? "shown anew" : "not saved";
  }

  #say(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
