// One frame in one or more panes that are zoomed and panned together.

import { differenceLayer, labelLayer } from "./layers.js";

export const VIEWS = [
  { id: "labels", name: "labels" },
  { id: "image", name: "image" },
  { id: "model", name: "model", needsModel: true },
  { id: "difference", name: "disagreement", needsModel: true },
  { id: "orders", name: "draw orders" },
  { id: "all", name: "side by side" },
];

const MAX_ZOOM = 40;
const SWIPE_PX = 60;

export class Viewer {
  #stage;
  #store;
  #frame = null;
  #panes = [];
  #pointers = new Map();
  #swipe = null;
  #zoom = 1;
  #center = [0.5, 0.5];

  /** onSwipe(+1 or -1) is called when a finger asks for the next or previous frame. */
  constructor(stage, store, onSwipe) {
    this.#stage = stage;
    this.#store = store;
    this.view = "labels";
    this.opacity = 0.5;
    this.hidden = new Set();
    this.onSwipe = onSwipe;
    new ResizeObserver(() => this.draw()).observe(stage);
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#up(event));
    stage.addEventListener("dblclick", () => this.resetZoom());
  }

  /** Show a frame; pictures as Pictures.get gives them. */
  show(pictures) {
    if (this.#frame?.number !== pictures.number) {
      this.#zoom = 1;
      this.#center = [0.5, 0.5];
    }
    this.#frame = pictures;
    this.refresh();
  }

  /** Lay the panes out anew: after a change of frame, view, mark or class. */
  refresh() {
    if (this.#frame === null) return;
    const wanted = this.#frame.fault === null ? this.#wanted() : [{ title: this.#frame.fault }];
    while (this.#panes.length > wanted.length) this.#panes.pop().element.remove();
    while (this.#panes.length < wanted.length) this.#panes.push(this.#newPane());
    wanted.forEach(({ title, layer = null, used = false }, i) => {
      const pane = this.#panes[i];
      pane.title.textContent = title;
      pane.title.classList.toggle("used", used);
      pane.layer = layer;
    });
    this.#stage.className = `panes-${wanted.length}`;
    this.draw();
  }

  draw() {
    for (const pane of this.#panes) this.#drawPane(pane);
  }

  zoomBy(factor, at = [0.5, 0.5]) {
    const zoom = Math.max(1, Math.min(MAX_ZOOM, this.#zoom * factor));
    // The point under the pointer stays where it is.
    this.#center = this.#center.map((c, i) => c + (at[i] - 0.5) * this.#extent()[i] * (1 / this.#zoom - 1 / zoom));
    this.#zoom = zoom;
    this.#clamp();
    this.draw();
  }

  panBy(x, y) {
    const extent = this.#extent();
    this.#center = [this.#center[0] + (x * extent[0]) / this.#zoom, this.#center[1] + (y * extent[1]) / this.#zoom];
    this.#clamp();
    this.draw();
  }

  resetZoom() {
    this.#zoom = 1;
    this.#center = [0.5, 0.5];
    this.draw();
  }

  #wanted() {
    const { number, labels, model } = this.#frame;
    const { frames, classes, orders } = this.#store;
    const size = frames[number].size_hw;
    const pixels = size[0] * size[1];
    const fits = (ids) => ids !== null && ids !== undefined && ids.length === pixels;
    const tag = this.#store.tag(number);
    const noModel = this.#store.modelReady ? "model: no mask of this size" : "model: being made ready";
    const colored = (ids) => (fits(ids) ? labelLayer(ids, size, classes, this.hidden) : null);
    const label = (order) => ({ title: `labels, order ${order}`, layer: colored(labels[order]) });
    const panes = {
      image: () => [{ title: "image" }],
      labels: () => [label(tag)],
      model: () => [{ title: fits(model) ? "model" : noModel, layer: colored(model) }],
      difference: () => [{
        title: this.#store.modelReady ? "where model and label differ" : noModel,
        layer: fits(model) && fits(labels[tag]) ? differenceLayer(labels[tag], model, size, this.hidden) : null,
      }],
      orders: () => (frames[number].differs === false
        ? [{ ...label(tag), title: "all draw orders give this mask" }]
        : orders.map((order) => ({ ...label(order), title: `order ${order}`, used: order === tag }))),
    };
    panes.all = () => [panes.image(), panes.labels(), ...(this.#store.model === null ? [] : [panes.model(), panes.difference()])].flat();
    return panes[this.view]();
  }

  #newPane() {
    const element = document.createElement("div");
    const canvas = document.createElement("canvas");
    const title = document.createElement("div");
    element.className = "pane";
    title.className = "title";
    element.append(canvas, title);
    this.#stage.append(element);
    return { element, canvas, title, layer: null };
  }

  #drawPane({ element, canvas, layer }) {
    const ratio = window.devicePixelRatio;
    const width = Math.round(element.clientWidth * ratio);
    const height = Math.round(element.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const bitmap = this.#frame?.bitmap;
    if (!bitmap || width === 0) return;
    const scale = Math.min(width / bitmap.width, height / bitmap.height) * this.#zoom;
    const left = width / 2 - this.#center[0] * bitmap.width * scale;
    const top = height / 2 - this.#center[1] * bitmap.height * scale;
    context.setTransform(scale, 0, 0, scale, left, top);
    context.imageSmoothingEnabled = scale < 3;
    context.drawImage(bitmap, 0, 0);
    if (layer === null) return;
    context.imageSmoothingEnabled = false;
    context.globalAlpha = this.opacity;
    context.drawImage(layer, 0, 0);
    context.globalAlpha = 1;
  }

  /** Width and height of a pane in units of the fitted picture's. */
  #extent() {
    const pane = this.#panes[0]?.element;
    const bitmap = this.#frame?.bitmap;
    if (!pane || !bitmap || pane.clientWidth === 0) return [1, 1];
    const scale = Math.min(pane.clientWidth / bitmap.width, pane.clientHeight / bitmap.height);
    return [pane.clientWidth / (bitmap.width * scale), pane.clientHeight / (bitmap.height * scale)];
  }

  #clamp() {
    const extent = this.#extent();
    this.#center = this.#center.map((c, i) => {
      const half = Math.min(0.5, extent[i] / (2 * this.#zoom));
      return Math.max(half, Math.min(1 - half, c));
    });
  }

  #within(event) {
    const pane = event.target.closest(".pane") ?? this.#panes[0].element;
    const box = pane.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * 0.0015), this.#within(event));
  }

  #down(event) {
    this.#stage.setPointerCapture?.(event.pointerId);
    this.#pointers.set(event.pointerId, event);
    this.#swipe = this.#pointers.size === 1 ? event : null;
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    const others = [...this.#pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    this.#pointers.set(event.pointerId, event);
    if (others.length > 0) {
      this.zoomBy(distance(others[0], event) / Math.max(1, distance(others[0], before)));
    } else if (this.#zoom > 1) {
      const box = this.#panes[0].element.getBoundingClientRect();
      this.panBy((before.clientX - event.clientX) / box.width, (before.clientY - event.clientY) / box.height);
    }
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    const start = this.#swipe;
    this.#swipe = null;
    if (start === null || event.type !== "pointerup" || this.#zoom > 1) return;
    const [x, y] = [event.clientX - start.clientX, event.clientY - start.clientY];
    if (Math.abs(x) > SWIPE_PX && Math.abs(x) > 2 * Math.abs(y)) this.onSwipe(x < 0 ? 1 : -1);
  }
}

function distance(a, b) {
  return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
}
