// How sure figures are: an edition, an AAL with its interval, a change. The sentences are the server's, the same everywhere.

import { $, made } from "./dom.js";

// What a figure of the edition is and how wide, under the title
export function edition(meta) {
  $("edition").textContent = meta.edition_words.en;
}

// p: answer of api/v1/probability
export function lossInWords(p) {
  if (p.words) return p.words.en;
  return p.method === "not_priced" ? "not priced: the edition has no damage rates for this risk" : "too few data";
}

// window: of api/v1/cell, undefined for the whole axis
export function changeInWords(window) {
  return window?.change_words?.en ?? null;
}

export function hatching(legend, meta) {
  const row = made(legend, "div");
  made(row, "i", undefined, { class: "hatched" });
  made(row, "span", meta.hatched);
}
