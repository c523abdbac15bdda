// How sure figures are: an edition, an AAL with its interval, a change. The sentences are the server's, the same everywhere.

import { $, made, missing } from "./dom.js";
import { english, language, number, t } from "./texts.js";

// What a figure of the edition is and how wide, under the title
export function edition(meta) {
  const own = meta.own_edition ? ` ${t("run.own_edition", { edition: meta.edition, checksum: meta.own_edition.slice(0, 8) })}` : "";
  $("edition").textContent = `${meta.edition_words[language]}${own}`;
}

// p: answer of api/v1/probability
export function lossInWords(p) {
  if (p.words) return p.words[language];
  return t(p.method === "not_priced" ? "loss.not_priced" : "loss.too_few");
}

// window: of api/v1/cell, undefined for the whole axis
export function changeInWords(window) {
  return window?.change_words?.[language] ?? null;
}

// What the loss of a risk that follows a trend is of; null of another risk, and over the whole axis
export function trendNote(meta, risk, period) {
  const year = meta.aal_years[risk]?.[period.name];
  return !year || period.name === "full" ? null : t("note.trend", { year, window: `${period.first}–${period.last}` });
}

export function hatching(legend, meta) {
  const row = made(legend, "div");
  made(row, "i", undefined, { class: "hatched" });
  made(row, "span", meta.hatched_words[language]);
}

// both ends of an interval, or that there is none
export function ends(low, high, format) {
  return missing(low) || missing(high) ? "–" : t("range", { low: format(low), high: format(high) });
}

// The expected loss of an assessment over all risks; what is calibrated on losses apart from what is not
export function siteLossInWords(box, head, aal) {
  const part = (name) => {
    const value = aal[`total_expected_loss_${name}`];
    const within = ends(aal[`total_expected_loss_${name}_low`], aal[`total_expected_loss_${name}_high`], number);
    return t(`loss.${name}`, { value: number(value), within });
  };
  const both = !missing(aal.total_expected_loss_calibrated) && !missing(aal.total_expected_loss_uncalibrated);
  const line = made(box, "p", `${head} ${aal.loss_words[language]}`, { class: "loss" });
  if (both) line.append(`; ${t("loss.parts", { calibrated: part("calibrated"), uncalibrated: part("uncalibrated") })}`);
  for (const note of [aal.interval_note, aal.overlap_note].filter(Boolean)) {
    line.append("; ");
    made(line, "span", note, english);
  }
  line.append(".");
}
