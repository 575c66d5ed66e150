// The page: puts its parts together and ties them to keys, buttons and the server's news.

import { ApiError, getJson, postJson } from "./api.js";
import { Edits } from "./edits.js";
import { Grid } from "./grid.js";
import { Keys } from "./keys.js";
import { Pictures } from "./pictures.js";
import { fillClasses, fillFacts, fillViews, scanText } from "./side.js";
import { FILTERS, Store } from "./store.js";
import { VIEWS, Viewer } from "./viewer.js";

const at = (id) => document.getElementById(id);
const NEWS_MS = 2000;
const NEWS_SOON_MS = 300;

class Page {
  constructor(store) {
    this.store = store;
    this.pictures = new Pictures(store);
    this.edits = new Edits(store, note);
    this.viewer = new Viewer(at("stage"), store, (by) => this.step(by));
    this.grid = new Grid(at("grid"), store, () => this.setMode("single"));
    this.mode = "grid";
    this.unsent = new Set();
    this.redrawing = false;
    this.asked = 0;
    this.fillBar();
    this.listen();
    this.keys = new Keys(this.actions());
    this.keys.fillTable(at("keys"));
    this.restore();
    this.refreshMarks();
    this.refreshLooked();
    this.refreshScan();
  }

  fillBar() {
    const { store } = this;
    document.title = `${store.dataset} – wristseg review`;
    at("dataset").textContent = store.dataset;
    for (const filter of FILTERS) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.filter = filter;
      const count = document.createElement("b");
      button.append(filter, count);
      button.addEventListener("click", () => this.choose({ filter }));
      at("filters").append(button);
    }
    for (const sort of store.sorts) at("sort").append(new Option(sort, sort));
    at("redraw").hidden = !store.canRedraw;
    fillViews(at("views"), store, (view) => this.setView(view));
    fillClasses(at("classes"), store, (id) => this.toggleClass(id));
    if (store.problems.length > 0) {
      const list = document.createElement("ul");
      list.append(...store.problems.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }));
      const head = document.createElement("h2");
      head.textContent = "The data set as a whole";
      at("dataset-problems").append(head, list);
    }
  }

  listen() {
    const { store, edits } = this;
    store.addEventListener("marks", () => this.refreshMarks());
    store.addEventListener("findings", () => this.refreshMarks());
    store.addEventListener("scan", () => this.refreshScan());
    store.addEventListener("model", () => {
      this.pictures.forget();
      this.refreshCursor();
    });
    store.addEventListener("looked", () => this.refreshLooked());
    store.addEventListener("list", () => this.refreshList());
    store.addEventListener("cursor", () => this.refreshCursor());
    edits.addEventListener("state", ({ detail }) => {
      at("saved").textContent = detail === "saving" ? "saving…" : detail;
      at("saved").className = detail === "not saved" ? "failed" : "";
    });
    const clicks = {
      mode: () => this.setMode(this.mode === "grid" ? "single" : "grid"),
      "grid-labels": () => this.toggleGridLabels(),
      undo: () => this.travel("undo"),
      redo: () => this.travel("redo"),
      redraw: () => this.redraw(),
      ask: () => at("help").showModal(),
      "help-close": () => at("help").close(),
      previous: () => this.step(-1),
      next: () => this.step(1),
      grasp: () => this.toggle("grasp"),
      exclude: () => this.toggle("excluded"),
    };
    for (const [id, run] of Object.entries(clicks)) at(id).addEventListener("click", run);
    at("sort").addEventListener("change", () => this.choose({ sort: at("sort").value }));
    at("opacity").addEventListener("input", () => this.setOpacity(Number(at("opacity").value)));
    // After a click the keys are for the frames again; whoever works by Tab stays where they are.
    at("bar").addEventListener("click", ({ target, detail }) => {
      if (detail > 0 && target.closest("button") !== null && !at("help").open) this.focusFrames();
    });
    window.addEventListener("pagehide", () => this.sendLooked({ keepalive: true }));
    window.addEventListener("beforeunload", (event) => {
      if (edits.pending > 0) event.preventDefault();
    });
  }

  actions() {
    const inGrid = (grid, single) => (event) => (this.mode === "grid" ? grid : single)(event);
    const stepper = (by) => (event) => this.step(typeof by === "function" ? by() : by, { extend: event.shiftKey });
    const pan = (x, y) => () => this.viewer.panBy(x, y);
    const { store } = this;
    return [
      { keys: ["ArrowRight", "n", "j"], name: "next frame", run: stepper(1) },
      { keys: ["ArrowLeft", "p", "k"], name: "previous frame", run: stepper(-1) },
      { keys: ["ArrowDown"], run: inGrid(stepper(() => this.grid.columns), stepper(1)) },
      { keys: ["ArrowUp"], run: inGrid(stepper(() => -this.grid.columns), stepper(-1)) },
      { keys: ["PageDown"], shown: ["PageUp", "PageDown"], name: "a screen back, on", run: stepper(() => this.grid.page || 10) },
      { keys: ["PageUp"], run: stepper(() => -this.grid.page || -10) },
      { keys: ["Home"], shown: ["Home", "End"], name: "first, last frame", run: stepper(-Infinity) },
      { keys: ["End"], run: stepper(Infinity) },
      { keys: ["g"], name: "grasp mark on or off (all selected frames)", run: () => this.toggle("grasp") },
      { keys: ["x", "e"], name: "exclude or take back in", run: () => this.toggle("excluded") },
      { keys: ["u", "Control+z"], shown: ["u", "Ctrl+z"], name: "undo", run: () => this.travel("undo") },
      { keys: ["r", "Control+y", "Control+Shift+z"], shown: ["r", "Ctrl+y"], name: "redo", run: () => this.travel("redo") },
      { keys: ["f"], name: "next filter", run: () => this.choose({ filter: after(FILTERS, store.filter) }) },
      { keys: ["s"], name: "next order; sort anew", run: () => this.choose({ sort: after(store.sorts, store.sort) }) },
      { keys: ["v", "Enter"], name: "grid or one frame", run: () => this.setMode(this.mode === "grid" ? "single" : "grid") },
      { keys: ["Escape"], name: "back to the grid", run: () => this.setMode("grid") },
      { keys: ["l"], name: "labels in the grid", run: () => this.toggleGridLabels() },
      ...VIEWS.map(({ id, needsModel }, i) => ({
        keys: [String(i + 1)], run: () => (!needsModel || store.model !== null) && this.setView(id),
      })),
      { keys: [], shown: ["1", "…", "6"], name: VIEWS.map(({ name }) => name).join(", ") },
      { keys: ["t"], name: "overlay on or off", run: () => this.setView(this.viewer.view === "image" ? "labels" : "image") },
      { keys: ["["], shown: ["[", "]"], name: "less, more colour", run: () => this.setOpacity(this.viewer.opacity - 0.1) },
      { keys: ["]"], run: () => this.setOpacity(this.viewer.opacity + 0.1) },
      ...store.classes.slice(1, 10).map((_, i) => ({ keys: [`Shift+Digit${i + 1}`], run: () => this.toggleClass(i + 1) })),
      { keys: [], shown: ["Shift 1", "…"], name: "a class on or off" },
      { keys: ["+", "="], shown: ["+", "-", "0"], name: "zoom in, out, fit", run: () => this.viewer.zoomBy(1.4) },
      { keys: ["-"], run: () => this.viewer.zoomBy(1 / 1.4) },
      { keys: ["0"], run: () => this.viewer.resetZoom() },
      { keys: ["Shift+ArrowRight"], run: inGrid(stepper(1), pan(0.2, 0)) },
      { keys: ["Shift+ArrowLeft"], run: inGrid(stepper(-1), pan(-0.2, 0)) },
      { keys: ["Shift+ArrowDown"], run: inGrid(stepper(() => this.grid.columns), pan(0, 0.2)) },
      { keys: ["Shift+ArrowUp"], run: inGrid(stepper(() => -this.grid.columns), pan(0, -0.2)) },
      { keys: [], shown: ["Shift ←↑↓→"], name: "grid: select several; one frame: pan" },
      { keys: ["m"], name: "draw the mask files again", run: () => this.redraw() },
      { keys: ["?"], shown: ["?"], name: "this help", run: () => at("help").showModal() },
    ];
  }

  choose(choice) {
    this.store.choose(choice);
    this.remember();
  }

  step(by, { extend = false } = {}) {
    this.store.step(by, { extend: extend && this.mode === "grid" });
  }

  toggle(kind) {
    const frames = this.store.selection();
    if (frames.length === 0) return;
    const value = !frames.every((number) => this.store[kind].has(number));
    this.edits.mark(frames.map((frame) => ({ frame, [kind]: value })));
    for (const number of frames) this.look(number);
  }

  async travel(way) {
    const answer = await this.edits[way]();
    if (answer === null || answer.frames.length === 0) return;
    if (!this.store.place.has(answer.frames[0])) this.choose({ filter: "all" });
    this.store.moveTo(answer.frames[0]);
  }

  async redraw() {
    if (!this.store.canRedraw || this.redrawing) return;
    try {
      await postJson("/api/masks", {});
      this.redrawing = true;
      at("redraw").disabled = true;
      at("redraw").textContent = "drawing…";
    } catch (error) {
      note(error.message, true);
    }
  }

  setMode(mode) {
    if (mode === "single" && this.store.cursor === null) return;
    this.mode = mode;
    if (mode === "single") this.store.moveTo(this.store.cursor); // alone, not with a selection
    at("grid").hidden = mode !== "grid";
    at("single").hidden = mode !== "single";
    at("mode").textContent = mode === "grid" ? "one frame" : "grid";
    at("mode").title = "v";
    at("grid-labels").hidden = mode !== "grid";
    if (mode === "grid") {
      this.grid.layOut();
      this.grid.scrollToCursor();
    }
    this.focusFrames();
    this.refreshCursor();
    this.remember();
  }

  focusFrames() {
    at(this.mode === "grid" ? "grid" : "stage").focus({ preventScroll: true });
  }

  setView(view) {
    this.viewer.view = view;
    for (const button of at("views").children) button.setAttribute("aria-pressed", button.dataset.view === view);
    this.viewer.refresh();
    this.remember();
  }

  setOpacity(opacity) {
    this.viewer.opacity = Math.max(0, Math.min(1, opacity));
    at("opacity").value = this.viewer.opacity;
    this.viewer.draw();
  }

  toggleClass(id) {
    const { hidden } = this.viewer;
    if (!hidden.delete(id)) hidden.add(id);
    at("classes").querySelector(`[data-id="${id}"]`).checked = !hidden.has(id);
    this.viewer.refresh();
  }

  toggleGridLabels() {
    this.grid.showsLabels = !this.grid.showsLabels;
    at("grid-labels").setAttribute("aria-pressed", this.grid.showsLabels);
    this.grid.refresh();
    this.remember();
  }

  refreshMarks() {
    const { store } = this;
    for (const button of at("filters").children) {
      button.lastChild.textContent = store.count(button.dataset.filter);
      button.setAttribute("aria-pressed", button.dataset.filter === store.filter);
    }
    at("undo").disabled = !store.canUndo;
    at("redo").disabled = !store.canRedo;
    this.grid.refresh();
    this.refreshSingle();
    this.viewer.refresh();
  }

  refreshLooked() {
    const { looked, frames } = this.store;
    at("looked").textContent = `${looked.size} of ${frames.length} looked at`;
    at("progress-done").style.width = `${(100 * looked.size) / frames.length}%`;
    this.grid.refresh();
  }

  refreshScan() {
    at("scan").textContent = scanText(this.store);
  }

  refreshList() {
    at("none").hidden = this.store.list.length > 0;
    at("sort").value = this.store.sort;
    this.grid.layOut();
    this.grid.scrollToCursor();
    this.refreshMarks();
    if (this.store.cursor === null && this.mode === "single") this.setMode("grid");
  }

  refreshCursor() {
    if (this.mode === "grid") {
      this.grid.scrollToCursor();
      this.grid.refresh();
    } else {
      this.showFrame(this.store.cursor);
    }
    this.remember();
  }

  async showFrame(number) {
    if (number === null) return;
    this.refreshSingle();
    const asked = ++this.asked;
    const pictures = this.pictures.peek(number) ?? (await this.pictures.get(number));
    if (this.store.cursor !== number || this.mode !== "single") return;
    if (asked !== this.asked) return; // the same frame was asked for again, and there is more to it now
    this.viewer.show(pictures);
    this.pictures.fetchAround(number);
    this.look(number);
    at("stage").dataset.shown = number;
    document.dispatchEvent(new CustomEvent("frame-shown", { detail: number }));
  }

  refreshSingle() {
    const { store } = this;
    if (this.mode !== "single" || store.cursor === null) return;
    at("grasp").setAttribute("aria-pressed", store.grasp.has(store.cursor));
    at("exclude").setAttribute("aria-pressed", store.excluded.has(store.cursor));
    fillFacts(at("facts"), store, store.cursor);
  }

  look(number) {
    if (!this.store.addLooked(number)) return;
    this.unsent.add(number);
    clearTimeout(this.lookTimer);
    this.lookTimer = setTimeout(() => this.sendLooked(), 400);
  }

  async sendLooked(options) {
    const frames = [...this.unsent];
    if (frames.length === 0) return;
    this.unsent.clear();
    try {
      await postJson("/api/looked", { frames }, options);
    } catch {
      for (const number of frames) this.unsent.add(number); // with the next one
    }
  }

  async watch() {
    let wait = NEWS_MS;
    try {
      const { store } = this;
      const news = await getJson(`/api/news?version=${store.version}&found=${store.found}`);
      banner(null);
      store.takeFindings(news.findings);
      if (!news.more) store.takeScan(news.scan, news.model_ready); // it is as far as the findings
      if (news.marks !== null) this.edits.takeMarks(news.marks);
      this.takeRedraw(news.redraw);
      if (news.more || store.scan.step !== "done" || this.redrawing) wait = NEWS_SOON_MS;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      banner(error.status === 0
        ? "The server has stopped: start wristseg review again and open the address it prints. Saved marks are on disk."
        : error.message);
    }
    setTimeout(() => this.watch(), wait);
  }

  takeRedraw(redraw) {
    if (!this.redrawing || redraw === null || redraw.state === "running") return;
    this.redrawing = false;
    at("redraw").disabled = false;
    at("redraw").textContent = "redraw masks";
    if (redraw.state === "done") note(`Masks drawn: ${redraw.text.split("\n").find((line) => / masks in /.test(line)) ?? ""}`);
    else note(`The masks were not drawn:\n${redraw.text}`, true);
  }

  remember() {
    const { filter, sort, cursor, frames } = this.store;
    if (cursor === null || this.isRestoring) return;
    const kept = {
      filter, sort, mode: this.mode, view: this.viewer.view, gridLabels: this.grid.showsLabels, name: frames[cursor].name,
    };
    sessionStorage.setItem("wristseg-review", JSON.stringify(kept));
  }

  /** After a reload: the same frame in the same view. */
  restore() {
    const kept = JSON.parse(sessionStorage.getItem("wristseg-review") ?? "{}");
    this.isRestoring = true;
    this.store.choose({ filter: kept.filter, sort: kept.sort });
    const frame = this.store.frames.find(({ name }) => name === kept.name);
    if (frame !== undefined) this.store.moveTo(frame.number);
    if (kept.gridLabels) this.toggleGridLabels();
    const views = [...at("views").children].map((button) => button.dataset.view);
    this.setView(views.includes(kept.view) ? kept.view : "labels");
    this.setMode(kept.mode ?? "grid");
    this.isRestoring = false;
  }
}

function after(list, item) {
  return list[(list.indexOf(item) + 1) % list.length];
}

function note(text, bad = false) {
  const element = document.createElement("div");
  element.className = bad ? "note bad" : "note";
  element.textContent = text;
  at("notes").append(element);
  setTimeout(() => element.remove(), bad ? 12000 : 5000);
}

function banner(text) {
  at("banner").hidden = text === null;
  at("banner").textContent = text ?? "";
}

try {
  const page = new Page(new Store(await getJson("/api/state")));
  document.documentElement.dataset.ready = "yes";
  page.watch();
} catch (error) {
  banner(error.message);
  throw error;
}
