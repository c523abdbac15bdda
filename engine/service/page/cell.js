// The chosen cell: bins, loss and hazard of the chosen risk, scenario and period, then all of them as lines.

import { Refused, ask } from "./ask.js";
import { bars, lines } from "./charts.js";
import { $, made, percent } from "./dom.js";
import { lossSteps, returnLevels } from "./rare.js";
import { changeInWords, lossInWords, trendNote } from "./sure.js";
import { language, named, risk as named_risk, t } from "./texts.js";
import { why } from "./why.js";

export const degrees = (value, [plus, minus]) => `${+Math.abs(value).toFixed(6)} ${value < 0 ? minus : plus}`;
export const place = (lat, lon) => `${degrees(lat, "NS")}, ${degrees(lon, "EW")}`;
export const years = (period) => `${period.first}–${period.last}`;

// a level of any of its spellings, in the reader's words
export function level(meta, word) {
  const found = meta.levels.find((each) => [each.hazard, each.older, each.printed].includes(word))?.printed;
  return found ? t(`level.${found}`) : word ?? "–";
}

export const scenarioName = (meta, scenario) => (meta.scope === "observed" ? t("scenario.observed") : scenario.name);

// Above the figures; on a narrow screen under the map, too, where the figures are out of sight
export function tellPlace(text, attributes = {}) {
  for (const [id, tail] of [["place", ""], ["below", " ↓"]]) $(id).replaceChildren(), made($(id), "span", `${text}${tail}`, attributes);
  $("below").hidden = false;
}

// cell: answer of api/v1/cell; chosen: {meta, risk, scenario, period}; isCurrent: () => whether it is still wanted
export async function describe(cell, { meta, risk, scenario, period }, isCurrent) {
  const { latitude, longitude, grid_id } = cell, known = cell.risks[risk], box = document.createElement("div");
  if (known) {
    const query = new URLSearchParams({ lat: latitude, lon: longitude, risk_type: risk, scenario_id: scenario.scenario_id, time_period: period.name });
    const found = async (what) => {
      try {
        return await (await ask(`api/v1/${what}?${query}`)).json();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return null; // not every cell has both
      }
    };
    const [p, h] = await Promise.all([found("probability"), found("hazard")]);
    if (!isCurrent()) return; // a later choice is on its way
    figures(box, { meta, risk, period }, p, h, known.windows.find((each) => each.scenario_id === scenario.scenario_id && each.time_period === period.name));
    if (p) why(made(box, "div"), () => explained(query), isCurrent);
    if (p) rare(made(box, "div"), measure(meta, risk), found("cell/return-levels"), isCurrent);
    windows(box, { meta, risk }, known.windows, scenario);
  } else {
    made(box, "p", t("cell.none"));
  }
  const away = cell.cell_basis === "nearest" ? `${t("cell.nearest", { km: (cell.cell_distance_m / 1000).toFixed(1) })}, ` : "";
  const told = { risk: named_risk(risk), place: place(latitude, longitude), away, cell: grid_id, scenario: scenarioName(meta, scenario), years: years(period) };
  tellPlace(t("cell.results", told));
  $("figures").replaceChildren(box);
}

// The explanation of a figure, or the reason why there is none
async function explained(query) {
  try {
    return { told: await (await ask(`api/v1/explain?${query}`)).json() };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { reason: error.message };
  }
}

// Return levels are read of the climate itself: they come when the other figures are there already
async function rare(box, unit, answer, isCurrent) {
  made(box, "p", t("levels.loading"), { class: "note" });
  const told = await answer;
  if (!isCurrent()) return;
  box.replaceChildren();
  if (told) returnLevels(box, told, unit);
}

// What the bins are in: the unit, or the index that has none; ranges of drought are of SPEI itself, not of its negative
function measure(meta, risk) {
  const { intensity = "", unit = "" } = meta.measures[risk] ?? {};
  return unit === "1" ? intensity.replace("minus_", "").toUpperCase() : unit && named("unit", unit);
}

function figures(box, { meta, risk, period }, p, h, window) {
  const list = made(box, "dl");
  const item = (name, value) => { made(list, "dt", name); made(list, "dd", value); };
  if (p) {
    const of = meta.aal_years[risk]?.[period.name];
    item(of ? t(of.includes("-") ? "aal.over" : "aal.of", { years: of }) : t("aal"), lossInWords(p));
    const change = changeInWords(window);
    if (change) item(t("cell.change"), change);
    if (p.ensemble?.words) item(t("models.title"), models(p.ensemble));
    item(t("cell.estimated"), t("cell.samples", { method: named("method", p.method), samples: p.n_samples }));
  }
  if (h) {
    item(t("hazard.level"), t("hazard.told", { level: level(meta, h.hazard_level), score: h.hazard_score_100.toFixed(1) }));
    if (h.percentile !== null) item(t("hazard.percentile"), t("hazard.among", { percentile: h.percentile.toFixed(0) }));
  }
  const trend = p && trendNote(meta, risk, period);
  if (trend) made(box, "p", trend, { class: "note" });
  if (p && meta.note_words[risk]) made(box, "p", `${meta.note_words[risk][language]}.`, { class: "note" });
  if (!p?.bin_data) return;
  made(box, "h3", t("bins.title"));
  const colours = meta.scales.aal.colours, last = Math.max(p.bin_data.length - 1, 1);
  bars(box, p.bin_data, p.bin_data.map((_, i) => colours[Math.round((i * (colours.length - 1)) / last)]), measure(meta, risk));
  lossSteps(box, p.loss_steps);
}

// The AAL over several climate models, their range, and whether they agree on the sign of the change
function models(told) {
  const range = t("models.range", { sentence: told.words[language], low: percent(told.aal_p10), high: percent(told.aal_p90) });
  if (told.agreement === null) return range;
  const share = t("models.agree", { percent: Math.round(100 * told.agreement) });
  return `${range}; ${told.models_disagree ? t("models.disagree", { share }) : share}`;
}

// What the AAL of a risk is of: the years of the period, or the year on which a trend sets it
const aalYears = (meta, risk, period) => meta.aal_years[risk]?.[period.name].replace("-", "–") ?? years(period);

function windows(box, { meta, risk }, known, scenario) {
  const periods = meta.periods.filter((each) => each.name !== "full");
  const ofHazard = periods.map(years), ofLoss = periods.map((each) => aalYears(meta, risk, each));
  const values = (id, field) => periods.map((each) => known.find((w) => w.scenario_id === id && w.time_period === each.name)?.[field] ?? null);
  const series = (field, ends) => meta.scenarios.map((each) => ({
    name: scenarioName(meta, each), values: values(each.scenario_id, field), ends: ends && ends.map((end) => values(each.scenario_id, end)),
    chosen: each.scenario_id === scenario.scenario_id,
  }));
  if (!periods.length) return;
  for (const [field, format, top, ends] of [
    ["aal", percent, null, ["aal_low", "aal_high"]],
    ["hazard_score", (v) => (100 * v).toFixed(0), 1],
    ["percentile", (v) => v.toFixed(0), 100],
  ]) {
    if (!known.some((window) => window[field] !== null)) continue; // a risk that is not priced has no AAL
    const title = t(`lines.${field}`);
    made(box, "h3", title);
    lines(box, title, field === "aal" ? ofLoss : ofHazard, series(field, ends), format, top);
  }
  if (known.some((window) => window.aal !== null)) made(box, "p", t("lines.note"), { class: "note" });
}
