// Tables of figures in boxes that scroll sideways, and what the losses in a table are.

import { made } from "../dom.js";
import { basisOf, missing, t } from "./text.js";

// The body of a new table. title: of its box for a screen reader; headings: texts
export function table(box, title, headings) {
  const region = made(box, "div", undefined, { class: "wide", tabindex: "0", role: "region", "aria-label": title });
  const whole = made(region, "table"), head = made(made(whole, "thead"), "tr");
  for (const text of headings) made(head, "th", text, { scope: "col" });
  return made(whole, "tbody");
}

export function line(body, heading, texts, attributes = {}) {
  const row = made(body, "tr", undefined, attributes);
  made(row, "th", heading, { scope: "row" });
  for (const text of texts) made(row, "td", text);
  return row;
}

// Say once above a table what its losses are where that is the same in all lines; else a word a line, with its meaning below.
// kinds: of `kindOf`, one a line
export function tellKinds(body, kinds) {
  const known = [...new Set(kinds.filter((kind) => !missing(kind)))], region = body.closest(".wide");
  if (!known.length) return;
  if (known.length === 1) return region.before(made(region, "p", t("basis.all", { basis: basisOf(known[0]) }), { class: "note" }));
  made(body.parentElement.querySelector("thead tr"), "th", t("basis.title"), { scope: "col" });
  for (const [i, row] of [...body.rows].entries()) made(row, "td", word(kinds[i]));
  region.after(made(region, "p", meanings(known), { class: "note" }));
}

export const word = (kind) => (missing(kind) ? "" : t(`basis.word.${kind}`));
export const meanings = (kinds) => kinds.map((kind) => t("basis.meaning", { word: word(kind), basis: basisOf(kind) })).join("; ");
