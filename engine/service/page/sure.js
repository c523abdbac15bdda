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

// both ends of an interval, or that there is none
export function ends(low, high, format) {
  const missing = (value) => value === null || value === undefined;
  return missing(low) || missing(high) ? "–" : `${format(low)} to ${format(high)}`;
}

// The expected loss of an assessment over all risks; what is calibrated on losses apart from what is not
export function siteLossInWords(aal) {
  const part = (name, title) => {
    const value = aal[`total_expected_loss_${name}`], plain = (each) => each.toLocaleString("en");
    return `${title} ${plain(value)} KRW (90 %: ${ends(aal[`total_expected_loss_${name}_low`], aal[`total_expected_loss_${name}_high`], plain)})`;
  };
  const both = aal.total_expected_loss_calibrated !== null && aal.total_expected_loss_uncalibrated !== null;
  const apart = both ? `of it ${part("calibrated", "calibrated on losses")}, ${part("uncalibrated", "an index")}` : null;
  return [aal.loss_words.en, apart, aal.interval_note, aal.overlap_note].filter(Boolean).join("; ");
}
