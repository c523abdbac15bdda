// Texts of the page in the language of the reader, numbers as that language writes them.

import { english as ENGLISH, language as LANGUAGE, LANGUAGES } from "../texts.js";

export { ENGLISH, LANGUAGE, LANGUAGES };
const TEXTS = await (await fetch(new URL(`../texts/portfolio.${LANGUAGE}.json`, import.meta.url))).json();

// key: of the catalogue; values: of its {placeholders}
export function t(key, values = {}) {
  if (!(key in TEXTS)) throw new Error(key);
  return TEXTS[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const has = (key) => key in TEXTS;

// Elements that stand in the document name their texts
export function fill() {
  document.documentElement.lang = LANGUAGE;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
}

const plain = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(LANGUAGE, { notation: "compact", maximumSignificantDigits: 3 });
export const missing = (value) => value === null || value === undefined;
export const NONE = "–";
export const money = (value) => (missing(value) ? NONE : plain.format(value));
export const rounded = (value) => (missing(value) ? NONE : short.format(value));
export const percent = (ratio) => (missing(ratio) ? NONE : `${+(100 * ratio).toPrecision(3)} %`);
export const figure = (value, digits = 1) => (missing(value) ? NONE : value.toFixed(digits));
export const ends = (low, high, format) => (missing(low) || missing(high) ? NONE : t("ends", { low: format(low), high: format(high) }));
// place: with its region in both languages where the warehouse knows it
export const region = (place) => place.region?.[LANGUAGE] ?? place.admin_name;
export const risk = (name) => (missing(name) ? NONE : t(`risk.${name}`));
export const level = (name) => (missing(name) ? NONE : t(`level.${name}`));

let observed = false, names = {};
// list: scenarios of the map's answer, with the names that the data give them
export const nameScenarios = (list) => { names = Object.fromEntries(list.map((each) => [each.scenario_id, each.name])); };
// scope: of the run; an observed record is stored under a scenario that it is none of
export const ofScope = (scope) => { observed = scope === "observed"; };
export const scenario = (id) => observed ? t("scenario.observed") : names[id] ?? t(`scenario.${id}`);
export const status = (name) => t(`status.${name}`);
export const period = (name, years) => t("period", { name: t(`period.${name}`), years: (years ?? "").replace("-", "–") }).trim();

// Whether a figure in money is calibrated on losses; null where there is no figure
export function kindOf(loss, calibrated, uncalibrated) {
  if (missing(loss)) return null;
  if (missing(uncalibrated)) return "calibrated";
  return missing(calibrated) ? "index" : "both";
}

// The same in words. kind: of `kindOf`
export const basisOf = (kind) => (kind ? t(`basis.${kind}`) : NONE);
export const basis = (...sums) => basisOf(kindOf(...sums));

// A reason of the server's; one that the catalogue does not have stays as it is
export function said(reason) {
  if (missing(reason)) return "";
  if (has(`said.${reason}`)) return t(`said.${reason}`);
  for (const [pattern, key] of [[/^Invalid type for (\w+)$/, "said.type"], [/^Missing required field: (\w+)$/, "said.missing"], [/^Invalid (\w+)$/, "said.invalid"]]) {
    const found = pattern.exec(reason);
    if (found && has(`field.${found[1]}`)) return t(key, { field: t(`field.${found[1]}`) });
  }
  return reason;
}
