// The legend of a layer: its classes, and notes on what its figures must not be read for.

import { $, made } from "./dom.js";
import { hatching } from "./sure.js";
import { language, t } from "./texts.js";

const UNITS = { aal: "legend.aal", hazard: "legend.hazard", change: "legend.change" };

// breaks: inner limits of classes, ascending, as they are written
export function labelsOf(breaks) {
  const written = breaks.map((each) => String(+each.toPrecision(3)).replace("-", "−"));
  const between = written.slice(1).map((upper, i) => t("range", { low: written[i], high: upper }));
  return [`< ${written[0]}`, ...between, `≥ ${written.at(-1)}`];
}

// own: {breaks, colours} of this layer alone, else null
export function legend({ meta, risk, quantity }, own = null) {
  const scale = own ?? meta.scales[quantity], box = $("legend"), notes = [], isPriced = !meta.not_priced.includes(risk);
  box.replaceChildren();
  made(box, "strong", t(UNITS[quantity]));
  if (quantity !== "hazard" && meta.note_words[risk]) notes.push(`${meta.note_words[risk][language]}.`);
  if (quantity === "aal" && !isPriced) notes.push(t("note.not_priced"));
  if (quantity === "aal" && meta.uncalibrated.includes(risk)) notes.push(t("note.uncalibrated"));
  if (own) notes.push(t("note.own_scale"));
  $("note").textContent = notes.join(" ");
  const none = t(quantity === "aal" && !isPriced ? "legend.not_priced" : "legend.too_few");
  const labels = scale.breaks.length ? labelsOf(scale.breaks) : [];
  for (const [colour, label] of [...labels.map((label, i) => [scale.colours[i], label]), [meta.no_value, none]]) {
    const row = made(box, "div");
    made(row, "i").style.background = colour;
    made(row, "span", label);
  }
  if (quantity === "change") hatching(box, meta);
}
