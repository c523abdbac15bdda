// What is rare: loss steps and return levels of a cell, the curve of a site.

import { curveChart, stepChart } from "./charts.js";
import { capital, made, mixed, percent, short } from "./dom.js";
import { t } from "./texts.js";

// loss_steps: [{damage_rate, probability}], rates ascending
export function lossSteps(box, steps) {
  const told = steps?.filter((each) => each.damage_rate > 0) ?? [];
  if (!told.length) return;
  made(box, "h3", t("steps.title"));
  stepChart(box, told);
  made(box, "p", t("steps.note"), { class: "note" });
}

// told: answer of cell/return-levels; unit: of the levels, may be empty
export function returnLevels(box, told, unit) {
  made(box, "h3", t("levels.title"));
  if (!told.levels) {
    mixed(box, "p", [`${t("levels.none")}: `, { english: told.reason }, "."], { class: "note" });
    return;
  }
  const table = made(box, "table", undefined, { class: "levels" });
  const month = told.sample === "year" ? "" : `, ${t(told.lower_is_worse ? "levels.lowest" : "levels.highest")}`;
  if (told.lower_is_worse) made(table, "caption", `${unit}${month}: ${t("levels.below")}`);
  else mixed(table, "caption", [{ english: capital(told.meaning) }, `${month}: ${t("levels.above")}`]);
  const head = made(made(table, "thead"), "tr"), rows = made(table, "tbody");
  for (const name of [t("levels.once"), unit || t("levels.level"), t("interval")]) made(head, "th", name, { scope: "col" });
  for (const each of told.levels) {
    const row = made(rows, "tr");
    made(row, "th", t("levels.years", { years: +each.return_period.toPrecision(4) }), { scope: "row" });
    made(row, "td", short(each.level));
    made(row, "td", t("range", { low: short(each.low), high: short(each.high) }));
  }
  const span = told.first_year === null ? t("levels.tracks") : `${told.first_year}–${told.last_year}`;
  const notes = [t("levels.basis", { years: told.years, span })];
  if (told.levels.at(-1).return_period > told.years) notes.push(t("levels.extrapolated", { years: told.years }));
  if (told.time_period === "full" && told.first_year !== null) notes.push(t("levels.changing"));
  if (told.same_climate === false) notes.push(t("levels.other_climate"));
  made(box, "p", `${notes.join("; ")}.`, { class: "note" });
}

// told: year_losses of a scenario of an assessment, why: the note where there are none
export function siteCurve(box, told, why) {
  if (!told) {
    if (why) mixed(box, "p", [`${t("curve.none")}: `, { english: why.replace(/\.$/, "") }, "."], { class: "note" });
    return;
  }
  mixed(box, "p", [{ english: `${told.sentence}${told.loss_note ? ` (${told.loss_note})` : ""}.` }], { class: "loss" });
  const points = told.curve.filter((each) => each.loss_percent !== null);
  if (points.length < 2) return;
  const figure = made(box, "div", undefined, { class: "curve" });
  curveChart(figure, points.map((each) => ({
    period: each.return_period, loss: each.loss_percent / 100, beyond: each.basis === "extrapolated",
    low: share(each.loss_percent_low), high: share(each.loss_percent_high),
  })), percent);
  const extrapolated = points.some((each) => each.basis === "extrapolated") ? ` ${t("curve.dashed")}` : "";
  made(box, "p", `${t("curve.note", { years: told.years })}${extrapolated} ${t("curve.no_forecast")}`, { class: "note" });
}

const share = (value) => (value === null || value === undefined ? null : value / 100);
