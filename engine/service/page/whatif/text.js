// Texts of what-ifs and comparisons, which both pages show. Names of fields, risks and scenarios are those of the portfolio page.

import { language } from "../texts.js";
import { t as shared } from "../portfolio/text.js";

export { language };
export { ENGLISH, basis, basisOf, ends, figure, kindOf, missing, money, NONE, percent, period, region, risk, rounded, said, scenario } from "../portfolio/text.js";
const TEXTS = await (await fetch(new URL(`../texts/whatif.${language}.json`, import.meta.url))).json();

// A text with its {names} replaced
export function t(key, values = {}) {
  if (!(key in TEXTS)) throw new Error(`texts/whatif.${language}.json has no ${key}`);
  return TEXTS[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const has = (key) => key in TEXTS;
export const field = (name) => shared(`field.${name}`);

// A pay-back; null where there is none
export const years = (value) => (value === null ? t("never") : t("years", { count: value < 1 ? +value.toPrecision(2) : value < 100 ? value.toFixed(1) : value.toFixed(0) }));
