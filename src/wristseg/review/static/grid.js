// Thumbnails of all listed frames; only those in sight are in the page.

const MIN_TILE_PX = 190;
const CAPTION_PX = 26;
const SPARE_ROWS = 2;

export class Grid {
  #element;
  #space;
  #store;
  #tiles = new Map();
  #columns = 1;
  #tile = [0, 0];

  /** onOpen(number) is called when a frame is to be seen alone. */
  constructor(element, store, onOpen) {
    this.#element = element;
    this.#space = element.querySelector("#space");
    this.#store = store;
    this.showsLabels = false;
    element.addEventListener("scroll", () => this.#fill());
    new ResizeObserver(() => this.layOut()).observe(element);
    this.#space.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile === null) return;
      const number = Number(tile.dataset.number);
      store.moveTo(number, { extend: event.shiftKey });
      if (!event.shiftKey) onOpen(number);
    });
  }

  get columns() {
    return this.#columns;
  }

  /** Frames that fit on one screen. */
  get page() {
    return this.#columns * Math.max(1, Math.floor(this.#element.clientHeight / this.#tile[1]));
  }

  layOut() {
    const width = this.#element.clientWidth;
    if (width === 0) return;
    this.#columns = Math.max(1, Math.floor(width / MIN_TILE_PX));
    const across = width / this.#columns;
    this.#tile = [across, Math.round(across * 0.75) + CAPTION_PX];
    const rows = Math.ceil(this.#store.list.length / this.#columns);
    this.#space.style.height = `${rows * this.#tile[1]}px`;
    for (const [number, tile] of this.#tiles) this.#put(number, tile);
    this.#fill();
  }

  /** Bring marks, findings and the selection of the tiles in sight up to date. */
  refresh() {
    const selected = new Set(this.#store.selection());
    for (const [number, tile] of this.#tiles) this.#dress(number, tile, selected);
    const cursor = this.#tiles.get(this.#store.cursor);
    if (cursor === undefined) this.#element.removeAttribute("aria-activedescendant");
    else this.#element.setAttribute("aria-activedescendant", cursor.id);
  }

  scrollToCursor() {
    const place = this.#store.place.get(this.#store.cursor);
    if (place === undefined || this.#tile[1] === 0) return;
    const top = Math.floor(place / this.#columns) * this.#tile[1];
    const { scrollTop, clientHeight } = this.#element;
    if (top < scrollTop) this.#element.scrollTop = top;
    else if (top + this.#tile[1] > scrollTop + clientHeight) {
      this.#element.scrollTop = top + this.#tile[1] - clientHeight;
    }
    this.#fill();
  }

  #fill() {
    const [, high] = this.#tile;
    if (high === 0 || this.#element.clientHeight === 0) return;
    const first = Math.max(0, Math.floor(this.#element.scrollTop / high) - SPARE_ROWS);
    const rows = Math.ceil(this.#element.clientHeight / high) + 2 * SPARE_ROWS + 1;
    const from = first * this.#columns;
    const wanted = this.#store.list.slice(from, from + rows * this.#columns);
    const kept = new Set(wanted);
    for (const [number, tile] of this.#tiles) {
      if (kept.has(number)) continue;
      tile.remove();
      this.#tiles.delete(number);
    }
    for (const number of wanted) {
      if (!this.#tiles.has(number)) this.#tiles.set(number, this.#newTile(number));
    }
    this.refresh();
  }

  #newTile(number) {
    const tile = part("div", "tile");
    tile.id = `frame-${number}`;
    tile.dataset.number = number;
    tile.setAttribute("role", "option");
    tile.title = this.#store.frames[number].name;
    const image = new Image();
    image.alt = "";
    image.decoding = "async";
    image.addEventListener("error", () => tile.classList.add("broken"));
    const picture = part("div", "picture");
    picture.append(image, part("div", "badges"));
    const name = part("div", "name");
    const title = part("span");
    // The name's end tells frames of one recording apart, so its beginning is cut (style sheet);
    // the mark keeps its letters in order.
    title.textContent = `\u200e${this.#store.frames[number].name.replace(/\.\w+$/, "")}\u200e`;
    name.append(title, part("span"));
    tile.append(picture, name);
    this.#put(number, tile);
    this.#space.append(tile);
    return tile;
  }

  #put(number, tile) {
    const place = this.#store.place.get(number) ?? 0; // the unlisted are taken out right after
    const [wide, high] = this.#tile;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", this.#store.list.length);
    tile.style.width = `${wide}px`;
    tile.style.height = `${high}px`;
    tile.style.left = `${(place % this.#columns) * wide}px`;
    tile.style.top = `${Math.floor(place / this.#columns) * high}px`;
  }

  #dress(number, tile, selected) {
    const store = this.#store;
    const is = {
      grasp: store.grasp.has(number),
      excluded: store.excluded.has(number),
      problem: store.problemsOf(number).length > 0,
    };
    tile.classList.toggle("looked", store.looked.has(number));
    tile.classList.toggle("excluded", is.excluded);
    tile.classList.toggle("selected", selected.has(number));
    tile.classList.toggle("cursor", number === store.cursor);
    tile.setAttribute("aria-selected", selected.has(number));
    const said = Object.keys(is).filter((kind) => is[kind]);
    tile.setAttribute("aria-label", [store.frames[number].name, ...said].join(", "));
    const badges = tile.querySelector(".badges");
    if (badges.dataset.said !== said.join()) {
      badges.dataset.said = said.join();
      badges.replaceChildren(...said.map((kind) => {
        const badge = part("span", `badge ${kind}`);
        badge.textContent = kind;
        return badge;
      }));
    }
    const suspicion = store.suspicion(number);
    const fit = suspicion === null ? "" : `${Math.round(100 * (1 - suspicion))} %`;
    const right = tile.querySelector(".name span:last-child");
    if (right.textContent !== fit) right.textContent = fit;
    const labels = this.showsLabels ? `?labels=${encodeURIComponent(store.tag(number))}` : "";
    const source = `/api/frames/${number}/thumbnail${labels}`;
    const image = tile.querySelector("img");
    if (image.getAttribute("src") !== source) image.src = source;
  }
}

function part(name, className = "") {
  const element = document.createElement(name);
  element.className = className;
  return element;
}
