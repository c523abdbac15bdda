// The map: one SVG in degrees, longitude shortened by the cosine of the middle latitude.

import { draw } from "./charts.js";

// a longitude of the drawing as it is stated everywhere else, in -180..180
const stated = (lon) => (lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon);

// Cells of a layer and their colours: places of a list speak for themselves and for no area, so each is drawn as a point
// columns, rows: of the lattice; the picture may have several pixels a cell
export async function dotsOf(picture, columns, rows) {
  const bitmap = await createImageBitmap(picture, { resizeWidth: columns, resizeHeight: rows, resizeQuality: "pixelated" }), { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d"), dots = [];
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 0; i < width * height; i += 1) {
    const [red, green, blue, opaque] = data.subarray(4 * i, 4 * i + 4);
    if (opaque) dots.push({ column: i % width, row: Math.floor(i / width), colour: `rgb(${red} ${green} ${blue})` });
  }
  return dots;
}

const ignore = () => {};

export class NationalMap {
  // onChosen, onPointed: (lat, lon) of a cell, of the pointer or the marker under the keys (null: neither is there);
  // onMoved: () of a view that has come to rest; onShown: () of one that moves. A page that does not need one leaves it out
  constructor(svg, { onChosen, onPointed = ignore, onMoved = ignore, onShown = ignore }) {
    this.svg = svg;
    [this.layer, this.places, this.marker] = ["layer", "places", "marker"].map((name) => this.part(name));
    Object.assign(this, { onChosen, onPointed, onMoved, onShown });
    this.drag = null;
    this.fingers = new Map(); // pointers that are down, and where they were last
  }

  // An element of the drawing; ids of a second map of a page end with its data-suffix
  part(name) {
    return this.svg.querySelector(`#${name}${this.svg.dataset.suffix ?? ""}`);
  }

  // meta: edges and step of the lattice
  place(meta) {
    this.meta = meta;
    this.squeeze = Math.cos((((meta.south + meta.north) / 2) * Math.PI) / 180);
    const edges = { x: meta.west * this.squeeze, y: -meta.north, w: (meta.east - meta.west) * this.squeeze, h: meta.north - meta.south };
    const beside = meta.apart ? 0.08 * Math.max(edges.w, edges.h) : 0; // points at the edge stand clear of the frame
    this.full = { x: edges.x - beside, y: edges.y - beside, w: edges.w + 2 * beside, h: edges.h + 2 * beside };
    const put = (part, { x, y, w, h }) => Object.entries({ x, y, width: w, height: h }).forEach(([name, value]) => part.setAttribute(name, value));
    put(this.layer, edges);
    for (const part of [this.part("sea"), ...this.svg.querySelectorAll("clipPath rect")]) put(part, this.full);
    this.svg.style.setProperty("--ratio", this.full.w / this.full.h);
    this.view = { ...this.full };
    this.show();
    this.listen();
  }

  // Show what another map shows, and be silent about it
  follow(view) {
    this.view = { ...view };
    this.svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
  }

  show() {
    this.follow(this.view);
    this.onShown();
    clearTimeout(this.resting);
    this.resting = setTimeout(this.onMoved, 250);
  }

  // Middle of the view and how many times it is enlarged; null of the whole map
  looked() {
    const { x, y, w, h } = this.view, zoom = this.full.w / w;
    if (zoom < 1.001 && Math.abs(x - this.full.x) + Math.abs(y - this.full.y) < 1e-9) return null;
    return [+(-(y + h / 2)).toFixed(3), +stated((x + w / 2) / this.squeeze).toFixed(3), +zoom.toFixed(2)];
  }

  look(lat, lon, zoom) {
    const w = this.width(this.full.w / Math.max(zoom, 1)), h = (this.full.h * w) / this.full.w;
    this.view = { x: this.counted(lon) * this.squeeze - w / 2, y: -lat - h / 2, w, h };
    this.show();
  }

  // of a view: at most the whole, at least eight cells or, of a small lattice, a quarter
  width(wanted) {
    return Math.min(Math.max(wanted, Math.min(this.meta.step * 8, this.full.w / 4)), this.full.w);
  }

  // a longitude in the lattice's own count across the date line
  counted(lon) {
    return lon + 360 * Math.round(((this.meta.west + this.meta.east) / 2 - lon) / 360);
  }

  stroke(id, strokes) {
    // strokes lie in -180..180, the lattice may go on across the date line
    const turns = [0, ...(this.meta.east > 180 ? [360] : []), ...(this.meta.west < -180 ? [-360] : [])];
    const path = turns.flatMap((turn) => strokes.map((line) => "M" + line.map(([lon, lat]) => `${((lon + turn) * this.squeeze).toFixed(4)} ${-lat}`).join("L"))).join("");
    this.part(id.slice(1)).setAttribute("d", path);
  }

  // dots: of `dotsOf`, each of one size whatever the zoom
  points(dots) {
    const { west, north, step } = this.meta;
    this.layer.setAttribute("visibility", "hidden");
    this.places.replaceChildren();
    for (const { column, row, colour } of dots) {
      const x = (west + step * (column + 0.5)) * this.squeeze, y = -(north - step * (row + 0.5));
      for (const part of ["edge", "fill"]) { // a line of no length with round ends is a disc in pixels of the screen
        const dot = document.createElementNS("http://www.w3.org/2000/svg", "path");
        dot.setAttribute("d", `M${x.toFixed(4)} ${y.toFixed(4)}h0`);
        dot.setAttribute("class", part);
        if (part === "fill") dot.style.stroke = colour;
        this.places.append(dot);
      }
    }
  }

  zoom(factor, at) {
    const { x, y, w, h } = this.view;
    const width = this.width(w * factor);
    const scale = width / w;
    const centre = at ?? { x: x + w / 2, y: y + h / 2 };
    this.view = { x: centre.x - (centre.x - x) * scale, y: centre.y - (centre.y - y) * scale, w: width, h: h * scale };
    this.show();
  }

  whole() {
    this.view = { ...this.full };
    this.show();
  }

  point(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
  }

  mark(lat, lon) {
    const { west, south, step } = this.meta;
    lon = this.counted(lon);
    const cellLon = west + step * Math.floor((lon - west) / step + 1e-9), cellLat = south + step * Math.floor((lat - south) / step + 1e-9);
    const box = this.marker.querySelector("rect"), cross = this.marker.querySelector("path");
    const x = cellLon * this.squeeze, y = -(cellLat + step), w = step * this.squeeze, arm = this.view.w / 40;
    for (const [name, value] of [["x", x], ["y", y], ["width", w], ["height", step]]) box.setAttribute(name, value);
    const cx = x + w / 2, cy = y + step / 2;
    cross.setAttribute("d", `M${cx - w - arm} ${cy}H${cx - w}M${cx + w} ${cy}h${arm}M${cx} ${cy - step - arm}V${cy - step}M${cx} ${cy + step}v${arm}`);
    this.marker.setAttribute("visibility", "visible");
    this.at = { lat, lon };
  }

  // A ring where the pointer is on another map; null: nowhere
  hint(lat, lon) {
    this.ring ??= draw(this.svg, "circle", { class: "hint" });
    this.ring.setAttribute("visibility", lat === null ? "hidden" : "visible");
    if (lat === null) return;
    const place = { cx: this.counted(lon) * this.squeeze, cy: -lat, r: this.view.w / 60 };
    for (const [name, value] of Object.entries(place)) this.ring.setAttribute(name, value);
  }

  // of the cell that holds a place: latitude and longitude as stated
  middle(lat, lon) {
    const { west, south, step } = this.meta, at = (start, value) => start + step * (Math.floor((value - start) / step + 1e-9) + 0.5);
    return [+at(south, lat).toFixed(6), +stated(at(west, this.counted(lon))).toFixed(6)];
  }

  unmark() {
    this.marker.setAttribute("visibility", "hidden");
    this.at = undefined;
  }

  choose(lat, lon) {
    this.mark(lat, lon);
    this.onChosen(lat, lon);
  }

  listen() {
    const svg = this.svg;
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.point(event));
    }, { passive: false });
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      // a second finger makes it a pinch, which ends as no click
      this.drag = { from: this.point(event), moved: this.fingers.size > 1 ? Infinity : 0 };
    });
    svg.addEventListener("pointermove", (event) => {
      const before = this.fingers.get(event.pointerId);
      if (!before) {
        const { x, y } = this.point(event);
        this.onPointed(-y, x / this.squeeze);
        return;
      }
      const now = { x: event.clientX, y: event.clientY };
      if (this.fingers.size > 1) {
        const [other] = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const apart = (place) => Math.max(Math.hypot(place.x - other.x, place.y - other.y), 1);
        this.zoom(apart(before) / apart(now), this.point({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 }));
      } else if (this.drag) {
        this.drag.moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
        if (this.drag.moved >= 6 && this.drag.moved < Infinity) {
          const here = this.point(event);
          this.view.x += this.drag.from.x - here.x;
          this.view.y += this.drag.from.y - here.y;
          this.show();
        }
      }
      this.fingers.set(event.pointerId, now);
    });
    svg.addEventListener("pointerleave", () => this.onPointed(null, null));
    svg.addEventListener("pointercancel", (event) => {
      this.fingers.delete(event.pointerId);
      this.drag = null;
    });
    svg.addEventListener("pointerup", (event) => {
      this.fingers.delete(event.pointerId);
      const clicked = this.drag && this.drag.moved < 6;
      if (!this.fingers.size) this.drag = null;
      if (!clicked) return;
      const { x, y } = this.point(event);
      this.choose(-y, stated(x / this.squeeze));
    });
    svg.addEventListener("keydown", (event) => {
      const { south, north, west, east, step } = this.meta;
      const at = this.at ?? { lat: (south + north) / 2, lon: (west + east) / 2 };
      const far = step * (event.shiftKey ? 10 : 1);
      const moves = { ArrowUp: [far, 0], ArrowDown: [-far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far] };
      if (moves[event.key]) {
        this.mark(at.lat + moves[event.key][0], at.lon + moves[event.key][1]);
        this.onPointed(this.at.lat, this.at.lon);
      }
      else if (event.key === "Enter") this.choose(at.lat, stated(at.lon));
      else if (event.key === "+" || event.key === "=") this.zoom(0.7);
      else if (event.key === "-") this.zoom(1.4);
      else return;
      event.preventDefault();
    });
  }
}
