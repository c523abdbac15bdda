// The answer on a measure: losses before and after side by side, by risk and in all, pay-back, both curves.

import { made } from "../dom.js";
import { line, table as sheet, tellKinds } from "../portfolio/tables.js";
import { twoCurves } from "./chart.js";
import { ENGLISH, basis, ends, figure, kindOf, language, missing, money, NONE, percent, period, risk, said, scenario, t, years } from "./text.js";

export const noteOf = (sum) => basis(sum.total_expected_loss, sum.total_expected_loss_calibrated, sum.total_expected_loss_uncalibrated);

// The same of a sum for the lines of a table
export const kindOfSum = (sum) => kindOf(sum.total_expected_loss, sum.total_expected_loss_calibrated, sum.total_expected_loss_uncalibrated);

// names: of the headings below a key of the catalogue
export const table = (box, title, names, key) => sheet(box, title, names.map((name) => t(`${key}.${name}`)));

// told: answer of a what-if; pair: one of its results
export function showWhatIf(box, told, pair) {
  const single = told.site_risks.length > 0, note = noteOf(pair.before);
  box.replaceChildren();
  made(box, "h3", t("result.title", { name: told.measure.name, scenario: scenario(pair.scenario_id), period: period(pair.time_period, pair.years) }), { tabindex: "-1" });
  if (!single) made(box, "p", t("result.taken", { taken: told.sites_taken.toLocaleString(language), sites: told.sites.toLocaleString(language) }));
  for (const [i, sentence] of pair.words[language].entries()) made(box, "p", sentence, i ? {} : { class: "loss" });
  for (const which of ["before", "after"]) {
    if (pair[which].loss_words) made(box, "p", `${t(`side.${which}`)}: ${pair[which].loss_words[language]}`);
  }
  if (pair.overlap_note) made(box, "p", t("overlap"), { class: "note" });
  const body = table(box, t("result.by_risk"), ["risk", "before", "after", "saving", "interval"], "head"), kinds = [];
  const saving = (each) => [money(each?.saving), ends(each?.saving_low, each?.saving_high, money)];
  for (const [name, before] of Object.entries(pair.before.expected_loss_by_risk)) {
    const after = pair.after.expected_loss_by_risk[name];
    line(body, risk(name), [money(before.expected_loss), money(after.expected_loss), ...saving(pair.saving.by_risk[name])]);
    kinds.push(kindOf(before.expected_loss, ...(before.calibrated ? [0, null] : [null, 0])));
  }
  line(body, risk("all"), [money(pair.before.total_expected_loss), money(pair.after.total_expected_loss), ...saving(pair.saving)], { class: "sum" });
  tellKinds(body, [...kinds, kindOfSum(pair.before)]);
  if (single && missing(pair.before.total_expected_loss)) ratios(box, told, pair);
  if (pair.appraisal) appraisal(box, pair.appraisal);
  const { before, after } = pair.curves;
  if (before && after) twoCurves(box, [{ name: t("side.before"), points: before.points }, { name: t("side.after"), points: after.points }], note);
  else if (told.year_losses_note) made(box, "p", said(told.year_losses_note), { class: "note", ...ENGLISH });
  made(box, "p", told.rules_note[language], { class: "note" });
  if (told.scope_note) made(box, "p", said(told.scope_note), { class: "note" });
}

// Of a site without an asset value: shares of it
function ratios(box, told, pair) {
  const body = table(box, t("result.ratios"), ["risk", "aal_before", "aal_after"], "head");
  for (const each of told.site_risks.filter((row) => row.scenario_id === pair.scenario_id && row.time_period === pair.time_period)) {
    line(body, risk(each.risk_type), [percent(each.final_aal_before), percent(each.final_aal_after)]);
  }
}

function appraisal(box, told) {
  const list = made(box, "dl", undefined, { class: "appraisal" });
  const item = (key, text) => { made(list, "dt", t(`pay.${key}`)); made(list, "dd", text); };
  const within = (name, format) => (missing(told[`${name}_low`]) ? "" : ` (${t("within", { ends: ends(told[`${name}_low`], told[`${name}_high`], format) })})`);
  item("cost", t("money", { money: money(told.cost) }));
  if (told.upkeep) item("upkeep", t("money", { money: money(told.upkeep) }));
  item("simple", years(told.simple_payback_years));
  item("discounted", t("at_rate", { years: years(told.discounted_payback_years), rate: +(100 * told.discount_rate).toPrecision(3) }));
  item("ratio", missing(told.benefit_cost_ratio) ? NONE : `${figure(told.benefit_cost_ratio, 2)}${within("benefit_cost_ratio", (value) => figure(value, 2))}`);
  item("value", `${money(told.net_present_value)}${within("net_present_value", money)}`);
  item("horizon", t("years", { count: told.years }));
}
