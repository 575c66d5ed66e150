// The keyboard: each action with its keys, and the table of them that the help shows.

/** actions: [{ keys: ["g"], name: "grasp", run(event) }]; letters work with and without Shift. */
export class Keys {
  #actions = new Map();

  constructor(actions) {
    this.actions = actions;
    for (const action of actions) for (const key of action.keys) this.#actions.set(key, action);
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  fillTable(table) {
    table.replaceChildren(...this.actions.filter(({ name }) => name).map(({ keys, shown = keys, name }) => {
      const row = document.createElement("tr");
      const [left, right] = [document.createElement("td"), document.createElement("td")];
      left.append(...shown.map((key) => {
        const element = document.createElement("kbd");
        element.textContent = key.replace("Arrow", "").replace(/^ $/, "Space");
        return element;
      }));
      right.textContent = name;
      row.append(left, right);
      return row;
    }));
  }

  #pressed(event) {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    // Controls keep the keys that work them.
    if (target.matches("select, input[type=range]") && /^(Arrow|Home|End|Page| )/.test(event.key)) return;
    if (target.matches("button, input[type=checkbox]") && /^( |Enter)$/.test(event.key)) return;
    const action = this.#actions.get(nameOf(event));
    if (action === undefined) return;
    event.preventDefault();
    action.run(event);
  }
}

/** Control+z, Shift+ArrowLeft, Shift+Digit3, g. */
function nameOf(event) {
  const control = event.ctrlKey || event.metaKey;
  if (event.altKey) return "";
  if (event.shiftKey && /^Digit\d$/.test(event.code)) return `Shift+${event.code}`;
  const isLetter = /^[a-z]$/i.test(event.key);
  const key = isLetter ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (key.length > 1 || (control && isLetter) || key === " ");
  return `${control ? "Control+" : ""}${shift ? "Shift+" : ""}${key}`;
}
