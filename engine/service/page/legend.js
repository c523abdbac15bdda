// The legend of a layer: its classes, and notes on what its figures must not be read for.

import { scenarioName, years } from "./cell.js";
import { made } from "./dom.js";
import { isDiverging, ofLoss } from "./layers.js";
import { hatching, trendNote } from "./sure.js";
import { language, t } from "./texts.js";

// breaks: inner limits of classes, ascending, as they are written
function labelsOf(breaks) {
  const written = breaks.map((each) => String(+each.toPrecision(3)).replace("-", "−"));
  const between = written.slice(1).map((upper, i) => t("range", { low: written[i], high: upper }));
  return [`< ${written[0]}`, ...between, `≥ ${written.at(-1)}`];
}

export const windowName = (meta, { scenario, period }) => `${scenarioName(meta, scenario)}, ${years(period)}`;

// A line a class under a title; none: words of the colour of no value
export function classes(box, title, { breaks, colours }, noValue, none) {
  box.replaceChildren();
  made(box, "strong", title);
  const labels = breaks.length ? labelsOf(breaks) : [];
  for (const [colour, label] of [...labels.map((each, i) => [colours[i], each]), [noValue, none]]) {
    const row = made(box, "div");
    made(row, "i").style.background = colour;
    made(row, "span", label);
  }
}

// box, note: elements; own: {breaks, colours} of this layer alone, else null
export function legend(box, note, { meta, risk, quantity, period, reference }, own = null) {
  const scale = own ?? meta.scales[quantity], notes = [], isPriced = !meta.not_priced.includes(risk), isLoss = ofLoss(quantity);
  if (isLoss && meta.note_words[risk]) notes.push(`${meta.note_words[risk][language]}.`);
  if (quantity === "aal" && !isPriced) notes.push(t("note.not_priced"));
  if (quantity === "aal" && meta.uncalibrated.includes(risk)) notes.push(t("note.uncalibrated"));
  if (isLoss) notes.push(trendNote(meta, risk, period));
  if (quantity === "hazard_difference") notes.push(t("note.untested"));
  if (own) notes.push(t("note.own_scale"));
  note.textContent = notes.filter(Boolean).join(" ");
  const none = t(quantity === "aal" && !isPriced ? "legend.not_priced" : quantity === "interval" ? "legend.no_interval" : "legend.too_few");
  classes(box, t(`legend.${quantity}`, reference ? { than: windowName(meta, reference) } : {}), scale, meta.no_value, none);
  if (isDiverging(quantity) && isLoss) hatching(box, meta);
}
