// What is rare: loss steps and return levels of a cell, the curve of a site.

import { curveChart, stepChart } from "./charts.js";
import { made, percent } from "./dom.js";

const short = (value) => (+value.toPrecision(3)).toLocaleString("en").replace("-", "−");
const years = (count) => `${+count.toPrecision(4)} years`;

// loss_steps: [{damage_rate, probability}], rates ascending
export function lossSteps(box, steps) {
  const told = steps?.filter((each) => each.damage_rate > 0) ?? [];
  if (!told.length) return;
  made(box, "h3", "Probability that the loss reaches a share of value");
  stepChart(box, told);
  made(box, "p", "From the bins above alone: of one sample, a year or a month as the risk is measured.", { class: "note" });
}

// told: answer of cell/return-levels; unit: of the levels, may be empty
export function returnLevels(box, told, unit) {
  made(box, "h3", "Return levels of the intensity");
  if (!told.levels) {
    made(box, "p", `No return levels: ${told.reason}.`, { class: "note" });
    return;
  }
  const table = made(box, "table", undefined, { class: "levels" });
  const month = told.sample === "year" ? "" : `, ${told.lower_is_worse ? "lowest" : "highest"} month of the year`;
  made(table, "caption", told.lower_is_worse ? `${unit}${month}: at or below` : `${capital(told.meaning)}${month}: at or above`);
  const head = made(made(table, "thead"), "tr"), rows = made(table, "tbody");
  for (const name of ["Once in", unit || "level", "90 % interval"]) made(head, "th", name, { scope: "col" });
  for (const each of told.levels) {
    const row = made(rows, "tr");
    made(row, "th", years(each.return_period), { scope: "row" });
    made(row, "td", short(each.level));
    made(row, "td", `${short(each.low)} to ${short(each.high)}`);
  }
  const span = told.first_year === null ? "of the storm tracks" : `${told.first_year}–${told.last_year}`;
  const notes = [`From ${told.years} years ${span}, by a generalised extreme value distribution`];
  if (told.levels.at(-1).return_period > told.years) notes.push(`what is rarer than 1 in ${told.years} years is extrapolated`);
  if (told.time_period === "full" && told.first_year !== null) notes.push("within so many years the climate itself changes");
  if (told.same_climate === false) notes.push("the climate data have changed since the run");
  made(box, "p", `${notes.join("; ")}.`, { class: "note" });
}

// told: year_losses of a scenario of an assessment, why: the note where there are none
export function siteCurve(box, told, why) {
  if (!told) {
    if (why) made(box, "p", `No curve of losses: ${why.replace(/\.$/, "")}.`, { class: "note" });
    return;
  }
  made(box, "p", `${told.sentence}${told.loss_note ? ` (${told.loss_note})` : ""}.`, { class: "loss" });
  const points = told.curve.filter((each) => each.loss_percent !== null);
  if (points.length < 2) return;
  const figure = made(box, "div", undefined, { class: "curve" });
  curveChart(figure, points.map((each) => ({
    period: each.return_period, loss: each.loss_percent / 100, beyond: each.basis === "extrapolated",
    low: share(each.loss_percent_low), high: share(each.loss_percent_high),
  })), percent);
  const extrapolated = points.some((each) => each.basis === "extrapolated") ? " Dashed: extrapolated, with its 90 % interval." : "";
  made(box, "p", `Loss of a year over all risks, by how seldom it is reached, from ${told.years} years.${extrapolated} Not a forecast: each year has the same chance.`, { class: "note" });
}

const share = (value) => (value === null || value === undefined ? null : value / 100);
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
