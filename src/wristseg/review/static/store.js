// What the page knows: frames, marks, findings, and which frames are listed in which order.
// Whoever shows a part of it listens for its events: marks, findings, list, cursor, looked, scan, model.

export const FILTERS = ["all", "grasp", "default", "excluded", "problems"];

export class Store extends EventTarget {
  constructor(state) {
    super();
    this.dataset = state.dataset;
    this.model = state.model;
    this.modelReady = state.model_ready;
    this.scan = { step: "reading", frames: 0 };
    this.canRedraw = state.can_redraw;
    this.classes = state.classes;
    this.orders = Object.keys(state.orders);
    this.problems = state.problems;
    this.frames = state.frames.map((frame, number) => ({
      ...frame, number, differs: null, fits: {}, fault: null, hints: {},
    }));
    this.looked = new Set(state.looked);
    this.found = 0;
    this.sorts = this.model === null ? ["recording"] : ["suspicion", "recording"];
    this.sort = this.sorts[0];
    this.filter = "all";
    this.list = [];
    this.place = new Map();
    this.cursor = null;
    this.anchor = null;
    this.hasMoved = false;
    this.takeMarks(state.marks);
    this.relist();
  }

  /** Marks as the server has them on disk. */
  takeMarks(marks) {
    this.onDisk = marks;
    this.version = marks.version;
    this.grasp = new Set(marks.grasp);
    this.excluded = new Set(marks.excluded);
    this.canUndo = marks.can_undo > 0;
    this.canRedo = marks.can_redo > 0;
    this.#tell("marks");
  }

  /** Show marks before the server has answered; takeMarks sets them right. */
  expect(changes) {
    for (const change of changes) {
      for (const kind of ["grasp", "excluded"]) {
        if (!(kind in change)) continue;
        this[kind][change[kind] ? "add" : "delete"](change.frame);
      }
    }
    this.#tell("marks");
  }

  takeFindings(findings) {
    for (const { frame, fault, differs, fits, hints } of findings) {
      Object.assign(this.frames[frame], { fault, differs, fits, hints });
    }
    this.found += findings.length;
    if (findings.length > 0) this.#tell("findings");
  }

  /** How far the scan is; the order of frames waits for its end, and problems for all to be read. */
  takeScan(scan, modelReady) {
    const ended = scan.step !== this.scan.step;
    const read = ended && this.scan.step === "reading";
    this.scan = scan;
    if ((read && this.filter === "problems") || (ended && scan.step === "done" && this.sort === "suspicion")) this.relist();
    this.#tell("scan");
    if (modelReady && !this.modelReady) {
      this.modelReady = true;
      this.#tell("model");
    }
  }

  addLooked(number) {
    if (this.looked.has(number)) return false;
    this.looked.add(number);
    this.#tell("looked");
    return true;
  }

  tag(number) {
    return this.grasp.has(number) ? "grasp" : "default";
  }

  problemsOf(number) {
    const { problems, fault } = this.frames[number];
    const hint = this.hint(number);
    const found = [fault, hint?.severity === "warning" ? hint.text : null];
    return [...problems, ...found.filter((text) => text !== null)];
  }

  /** What speaks against a frame's tag: { severity, text }, or undefined; none once it is excluded. */
  hint(number) {
    return this.excluded.has(number) ? undefined : this.frames[number].hints[this.tag(number)];
  }

  /** How far model and label are apart, 0 to 1; null where nothing was compared. */
  suspicion(number) {
    const fit = this.frames[number].fits[this.tag(number)];
    return fit === undefined ? null : 1 - fit[0];
  }

  fits(number, filter) {
    switch (filter) {
      case "grasp": return this.grasp.has(number) && !this.excluded.has(number);
      case "default": return !this.grasp.has(number) && !this.excluded.has(number);
      case "excluded": return this.excluded.has(number);
      case "problems": return this.problemsOf(number).length > 0;
      default: return true;
    }
  }

  count(filter) {
    let count = 0;
    for (const { number } of this.frames) if (this.fits(number, filter)) count += 1;
    return count;
  }

  choose({ filter = this.filter, sort = this.sort }) {
    this.filter = filter;
    this.sort = this.sorts.includes(sort) ? sort : this.sorts[0];
    this.relist();
  }

  /** Make the list anew; between two calls it stays, so that frames do not move while one works. */
  relist() {
    this.list = this.frames.map((frame) => frame.number).filter((n) => this.fits(n, this.filter));
    if (this.sort === "suspicion") {
      // What is excluded needs no look any more.
      const rank = (number) => (this.excluded.has(number) ? -2 : this.suspicion(number) ?? -1);
      const of = new Map(this.list.map((number) => [number, rank(number)]));
      this.list.sort((a, b) => of.get(b) - of.get(a) || a - b);
    }
    this.place = new Map(this.list.map((number, place) => [number, place]));
    if (!this.hasMoved || !this.place.has(this.cursor)) this.cursor = this.list[0] ?? null;
    this.anchor = null;
    this.#tell("list");
    this.#tell("cursor");
  }

  moveTo(number, { extend = false } = {}) {
    if (!this.place.has(number)) return;
    this.hasMoved = true;
    this.anchor = extend ? this.anchor ?? this.cursor : null;
    this.cursor = number;
    this.#tell("cursor");
  }

  step(by, options) {
    if (this.cursor === null) return;
    const place = this.place.get(this.cursor) + by;
    this.moveTo(this.list[Math.max(0, Math.min(this.list.length - 1, place))], options);
  }

  selection() {
    if (this.cursor === null) return [];
    if (this.anchor === null) return [this.cursor];
    const places = [this.place.get(this.anchor), this.place.get(this.cursor)].sort((a, b) => a - b);
    return this.list.slice(places[0], places[1] + 1);
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
