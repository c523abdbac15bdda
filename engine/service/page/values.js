// Values of the cells of the chosen layer: the one under the pointer, and classes of this layer alone.

import { ask } from "./ask.js";
import { percent } from "./dom.js";
import { isDiverging } from "./layers.js";

const CLASSES = 10, KEPT = 4, FINE = 640; // FINE: as the server draws lines across cells
const held = new Map();

// Values of a layer, asked for once: {values: Float32Array, the north-west cell first (NaN: too few data, -Infinity: no
// result), unsure: Uint8Array, 1 where a difference is not more than noise, null where nothing tells}
export function valuesOf(meta, layer) {
  if (!held.has(layer)) {
    const promise = ask(`api/v1/map/${layer}&format=values`).then(async (answer) => {
      const buffer = await answer.arrayBuffer(), cells = columns(meta) * rows(meta);
      return { values: new Float32Array(buffer, 0, cells), unsure: buffer.byteLength > 4 * cells ? new Uint8Array(buffer, 4 * cells) : null };
    });
    held.set(layer, promise);
    promise.catch(() => held.delete(layer));
    for (const first of held.keys()) if (held.size > KEPT) held.delete(first);
  }
  return held.get(layer);
}

export const columns = (meta) => Math.round((meta.east - meta.west) / meta.step);
export const rows = (meta) => Math.round((meta.north - meta.south) / meta.step);

// The place of a cell in the values, -1 outside
export function indexOf(meta, lat, lon) {
  const column = Math.floor((lon - meta.west) / meta.step + 1e-9), row = Math.floor((meta.north - lat) / meta.step - 1e-9);
  const width = columns(meta);
  return column < 0 || row < 0 || column >= width || row >= rows(meta) ? -1 : row * width + column;
}

const signed = (value, text) => `${value > 0 ? "+" : ""}${text}`.replace("-", "−");
const WRITTEN = {
  hazard: (value) => (100 * value).toFixed(1),
  hazard_difference: (value) => signed(value, (100 * value).toFixed(1)),
  change: (value) => signed(value, percent(value)),
  relative_difference: (value) => signed(value, percent(value)),
  difference: (value) => signed(value, `${+(100 * value).toPrecision(3)}`),
};
export const written = (quantity, value) => (WRITTEN[quantity] ?? percent)(value);

// the smallest round number that is no less
function round(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 2.5, 5, 10].find((each) => each * power >= rough * 0.999);
}

// Inner limits of classes of round width over the values, in % or points of 100: about ten, or seven about zero
export function ownBreaks(values, quantity) {
  return isDiverging(quantity) ? breaksAboutZero(values) : breaksBetween(values);
}

function breaksBetween(values) {
  let least = Infinity, most = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    least = Math.min(least, 100 * value);
    most = Math.max(most, 100 * value);
  }
  if (!(most > least)) return Number.isFinite(least) ? [least] : [];
  const step = round((most - least) / CLASSES), breaks = [];
  for (let i = Math.floor(least / step) + 1; i * step < most; i += 1) breaks.push(i * step);
  return breaks.length ? breaks : [(least + most) / 2];
}

// The outer classes hold the largest hundredth: a cell that lost nothing before has changed by any multiple
function breaksAboutZero(values) {
  const sizes = values.filter(Number.isFinite).map(Math.abs).sort();
  if (!sizes.length) return [];
  const most = 100 * sizes[Math.floor(0.99 * (sizes.length - 1))], step = most > 0 ? round(most / 3.5) : 1;
  return [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5].map((each) => each * step);
}

// One colour a class, of a palette that has as many or more
export const spread = (palette, count) => Array.from({ length: count }, (_, i) => palette[Math.round((i * (palette.length - 1)) / Math.max(count - 1, 1))]);

// A picture of the values, a pixel a cell or, with lines across cells that are unsure, several: promise of a blob
export function painted({ values, unsure }, width, { breaks, colours }, { no_value: noValue, hatch }) {
  const times = unsure ? Math.max(1, Math.ceil(FINE / width)) : 1, height = values.length / width;
  const canvas = new OffscreenCanvas(width * times, height * times), context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height), pixels = new Uint32Array(image.data.buffer);
  const number = (colour) => (0xff000000 | (parseInt(colour.slice(5, 7), 16) << 16) | (parseInt(colour.slice(3, 5), 16) << 8) | parseInt(colour.slice(1, 3), 16)) >>> 0;
  const [classes, grey, line] = [colours.map(number), number(noValue), number(hatch)];
  const limits = breaks.map((each) => each / 100), period = Math.max(7, Math.floor(canvas.width / 110)), wide = Math.max(1, Math.floor(period / 4));
  for (let cell = 0; cell < values.length; cell += 1) {
    const value = values[cell];
    if (value === -Infinity) continue;
    let place = 0;
    while (place < limits.length && value >= limits[place]) place += 1;
    const colour = Number.isNaN(value) ? grey : classes[place], isLined = unsure !== null && unsure[cell] === 1;
    const left = (cell % width) * times, top = Math.floor(cell / width) * times;
    for (let y = top; y < top + times; y += 1) {
      for (let x = left; x < left + times; x += 1) pixels[y * canvas.width + x] = isLined && (x + y) % period < wide ? line : colour;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
