// Values of the cells of the chosen layer: the one under the pointer, and classes of this layer alone.

import { ask } from "./ask.js";
import { percent } from "./dom.js";

const CLASSES = 10;
let held = { layer: "", promise: null };

// Values of a layer, asked for once: Float32Array, the north-west cell first; NaN: too few data, -Infinity: no result
export function valuesOf(layer) {
  if (held.layer !== layer) {
    const promise = ask(`api/v1/map/${layer}&format=values`).then(async (answer) => new Float32Array(await answer.arrayBuffer()));
    held = { layer, promise };
    promise.catch(() => { if (held.promise === promise) held = { layer: "", promise: null }; });
  }
  return held.promise;
}

export const columns = (meta) => Math.round((meta.east - meta.west) / meta.step);

// The place of a cell in the values, -1 outside
export function indexOf(meta, lat, lon) {
  const column = Math.floor((lon - meta.west) / meta.step + 1e-9), row = Math.floor((meta.north - lat) / meta.step - 1e-9);
  const width = columns(meta), height = Math.round((meta.north - meta.south) / meta.step);
  return column < 0 || row < 0 || column >= width || row >= height ? -1 : row * width + column;
}

export function written(quantity, value) {
  if (quantity === "hazard") return (100 * value).toFixed(1);
  return quantity === "change" ? `${value > 0 ? "+" : ""}${percent(value)}`.replace("-", "−") : percent(value);
}

// Inner limits of about ten classes of round width over the values, in % or points of 100
export function ownBreaks(values) {
  let least = Infinity, most = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    least = Math.min(least, 100 * value);
    most = Math.max(most, 100 * value);
  }
  if (!(most > least)) return Number.isFinite(least) ? [least] : [];
  const rough = (most - least) / CLASSES, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= rough * 0.999), breaks = [];
  for (let i = Math.floor(least / step) + 1; i * step < most; i += 1) breaks.push(i * step);
  return breaks.length ? breaks : [(least + most) / 2];
}

// One colour a class, of a palette that has as many or more
export const spread = (palette, count) => Array.from({ length: count }, (_, i) => palette[Math.round((i * (palette.length - 1)) / Math.max(count - 1, 1))]);

// A picture of the values, a pixel a cell: promise of a blob
export function painted(values, width, breaks, colours, noValue) {
  const canvas = new OffscreenCanvas(width, values.length / width), context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const [bytes, grey] = [colours.map(parts), parts(noValue)];
  values.forEach((value, i) => {
    if (value === -Infinity) return;
    const place = breaks.findLastIndex((limit) => 100 * value >= limit) + 1;
    image.data.set([...(Number.isNaN(value) ? grey : bytes[place]), 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
