// What stands beside frames: facts, views, classes, what goes on in the background.

import { VIEWS } from "./viewer.js";

export function fillFacts(element, store, number) {
  const frame = store.frames[number];
  const lines = [
    ["h2", "", frame.name],
    ["p", "dim", `${store.place.get(number) + 1} of ${store.list.length}` +
      ` · recording ${frame.recording || "(no name)"} · ${frame.size_hw[1]} × ${frame.size_hw[0]}`],
    ["p", "", marksOf(store, number)],
    ...fitLines(store, number),
    ...store.problemsOf(number).map((text) => ["p", "problem", text]),
    ...noteLines(store, number),
  ];
  element.replaceChildren(...lines.map(([name, className, text]) => {
    const line = document.createElement(name);
    line.className = className;
    line.textContent = text;
    return line;
  }));
}

function marksOf(store, number) {
  const frame = store.frames[number];
  const order = store.grasp.has(number) ? "grasp frame: object drawn last" : "default draw order";
  const differs = { true: "", false: " (changes nothing here)", null: "" }[frame.differs];
  const state = frame.labelled ? order + differs : "nobody labelled this frame";
  return store.excluded.has(number) ? `excluded · ${state}` : state;
}

function fitLines(store, number) {
  const { fits } = store.frames[number];
  const tag = store.tag(number);
  if (fits[tag] === undefined) return [];
  const [iou, worst] = fits[tag];
  const least = worst === null ? "" : `, lowest for ${store.classes[worst].name}`;
  const lines = [["p", "", `model and label agree: IoU ${percent(iou)}${least}`]];
  for (const [other, [otherIou]] of Object.entries(fits)) {
    if (otherIou > iou + 0.002) lines.push(["p", "hint", `order ${other} would fit better: ${percent(otherIou)}`]);
  }
  return lines;
}

function noteLines(store, number) {
  const hint = store.hint(number);
  return hint?.severity === "note" ? [["p", "hint", hint.text]] : [];
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** One button per view; onChoose(id). */
export function fillViews(element, store, onChoose) {
  const usable = VIEWS.filter(({ needsModel }) => !needsModel || store.model !== null);
  element.replaceChildren(...usable.map(({ id, name }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.view = id;
    button.textContent = name;
    button.title = String(VIEWS.findIndex((view) => view.id === id) + 1);
    button.addEventListener("click", () => onChoose(id));
    return button;
  }));
}

/** One box per class that can be drawn; onToggle(id). */
export function fillClasses(element, store, onToggle) {
  element.replaceChildren(...store.classes.map(({ name, color_rgb: rgb }, id) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const swatch = document.createElement("span");
    const key = document.createElement("kbd");
    box.type = "checkbox";
    box.checked = true;
    box.dataset.id = id;
    box.addEventListener("change", () => onToggle(id));
    swatch.className = "swatch";
    swatch.style.background = `rgb(${rgb.join(" ")})`;
    key.textContent = id < 10 ? `Shift ${id}` : "";
    const text = document.createElement("span");
    text.textContent = name;
    label.append(box, swatch, text, key);
    return label;
  }).slice(1));
}

/** What the server is doing in the background; empty once it is through. */
export function scanText({ scan, frames, model, modelReady }) {
  const name = model === null ? "" : model.split("/").slice(-2).join("/");
  const making = model === null || modelReady ? [] : [`making ${name} ready`];
  return {
    reading: [`reading frames: ${scan.frames} of ${frames.length}`, ...making],
    waiting: making,
    comparing: [`comparing with ${name}: ${scan.frames} of ${frames.length}`],
    done: [],
  }[scan.step].join(" · ");
}
