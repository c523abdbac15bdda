// A table of many rows of which only those in sight are in the document: sorted, filtered, reached by keyboard.

import { made } from "../dom.js";

const HEIGHT = 32, MORE = 8, PADDING = 8; // pixels, but for MORE: lines
const text = (value) => (value === null || value === undefined ? "" : String(value).toLowerCase());

// Pixels that a heading needs with its sign of the order and what is beside it
function headingWidth(title, button) {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(button), context = new OffscreenCanvas(1, 1).getContext("2d");
  context.font = `${fontWeight} ${fontSize} ${fontFamily}`;
  return Math.ceil(context.measureText(`${title} ▲`).width) + 2 * PADDING;
}

export class Grid {
  // columns: [{name, title, width, value(row), text(row), number}]; width in pixels; value: what is sorted by
  constructor(box, label, columns, onOpen) {
    this.onOpen = onOpen;
    this.all = [];
    this.rows = [];
    this.keep = () => true;
    this.sorted = { by: null, down: true };
    this.at = 0;
    this.drawn = new Map(); // place -> element
    this.box = made(box, "div", undefined, { class: "grid", role: "grid", tabindex: "0", "aria-label": label });
    this.head = made(made(this.box, "div", undefined, { class: "head", role: "rowgroup" }), "div", undefined, { class: "line", role: "row", "aria-rowindex": 1 });
    this.body = made(this.box, "div", undefined, { class: "body", role: "rowgroup" });
    this.box.addEventListener("scroll", () => this.later());
    new ResizeObserver(() => this.later()).observe(this.box);
    this.box.addEventListener("keydown", (event) => this.press(event));
    this.body.addEventListener("click", (event) => {
      const line = event.target.closest("[role=row]");
      if (line) this.open(Number(line.dataset.place));
    });
    this.lay(columns);
  }

  // columns: as of the constructor; a column is at least as wide as its heading
  lay(columns) {
    this.columns = columns;
    this.box.setAttribute("aria-colcount", columns.length);
    this.head.replaceChildren();
    this.heads = columns.map((column) => {
      const cell = made(this.head, "div", undefined, { role: "columnheader", "aria-sort": "none", class: column.number ? "number" : "" });
      made(cell, "button", column.title, { type: "button", "data-column": column.name }).addEventListener("click", () => this.sort(column.name));
      return cell;
    });
    const widths = columns.map((column, i) => Math.max(column.width, headingWidth(column.title, this.heads[i].firstChild)));
    this.box.style.setProperty("--columns", widths.map((width) => `${width}px`).join(" "));
    this.tellSorted();
  }

  tellSorted() {
    const { by, down } = this.sorted;
    this.columns.forEach((column, i) => this.heads[i].setAttribute("aria-sort", column.name !== by ? "none" : down ? "descending" : "ascending"));
  }

  show(rows) {
    this.all = rows;
    this.arrange();
  }

  filter(keep) {
    this.keep = keep;
    this.at = 0;
    this.box.scrollTop = 0;
    this.arrange();
  }

  sort(name, down = this.sorted.by === name ? !this.sorted.down : (this.columns.find((column) => column.name === name).number ?? false)) {
    this.sorted = { by: name, down };
    this.tellSorted();
    this.at = 0;
    this.box.scrollTop = 0;
    this.arrange();
  }

  arrange() {
    this.rows = this.all.filter(this.keep);
    const column = this.columns.find((each) => each.name === this.sorted.by), turn = this.sorted.down ? -1 : 1;
    if (column) {
      const compare = column.number ? (a, b) => a - b : new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
      const keyed = this.rows.map((row) => ({ row, key: column.number ? column.value(row) : text(column.value(row)) }));
      const none = (key) => key === null || key === undefined || key === "";
      keyed.sort((a, b) => none(a.key) - none(b.key) || (none(a.key) ? 0 : turn * compare(a.key, b.key))); // what is missing stands last
      this.rows = keyed.map((each) => each.row);
    }
    this.box.setAttribute("aria-rowcount", this.rows.length + 1);
    this.body.style.height = `${HEIGHT * this.rows.length}px`;
    for (const line of this.drawn.values()) line.remove();
    this.drawn.clear();
    this.draw();
  }

  later() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / HEIGHT) - MORE);
    const last = Math.min(this.rows.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / HEIGHT) + MORE);
    for (const [place, line] of this.drawn) {
      if (place >= first && place < last) continue;
      line.remove();
      this.drawn.delete(place);
    }
    for (let place = first; place < last; place++) if (!this.drawn.has(place)) this.drawn.set(place, this.line(place));
    for (const [place, line] of this.drawn) line.setAttribute("aria-selected", place === this.at);
    const active = this.drawn.get(this.at);
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  line(place) {
    const row = this.rows[place];
    const line = made(this.body, "div", undefined, { class: "line", role: "row", "aria-rowindex": place + 2, "data-place": place, id: `line-${place}` });
    line.style.transform = `translateY(${HEIGHT * place}px)`;
    for (const column of this.columns) made(line, "div", column.text(row), { role: "gridcell", class: column.number ? "number" : "", title: column.text(row) });
    return line;
  }

  press(event) {
    if (event.target !== this.box) return; // a heading's button
    const page = Math.max(1, Math.floor(this.box.clientHeight / HEIGHT) - 2), end = this.rows.length - 1;
    const to = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: end }[event.key];
    if (event.key === "Enter") this.open(this.at);
    else if (to === undefined) return;
    else this.go(Math.min(Math.max(to, 0), end));
    event.preventDefault();
  }

  go(place) {
    this.at = place;
    const top = HEIGHT * place, room = this.box.clientHeight - this.head.offsetHeight - HEIGHT;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top > this.box.scrollTop + room) this.box.scrollTop = top - room;
    this.draw();
  }

  open(place) {
    if (!this.rows[place]) return;
    this.go(place);
    this.onOpen(this.rows[place]);
  }
}
