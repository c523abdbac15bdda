// One site opened: its place, what is assumed of it, its loss with interval by risk, scenario and window.

import { $, made } from "../dom.js";
import { line, table, tellKinds } from "./tables.js";
import { ends, figure, kindOf, LANGUAGE, level, missing, money, NONE, percent, period, region, risk, scenario, said, status, t } from "./text.js";

// told: answer of .../sites/{row}; ids: {scenario_id, time_period}; close: called when it is to go
export function showSite(told, ids, close) {
  const box = $("site"), pair = told.pairs.find((each) => each.scenario_id === ids.scenario_id && each.time_period === ids.time_period);
  box.hidden = false;
  box.replaceChildren();
  made(box, "button", t("site.close"), { type: "button", id: "close-site" }).addEventListener("click", close);
  made(box, "h2", t("site.row", { row: told.row, name: told.name ?? told.site_id ?? "" }), { tabindex: "-1", id: "site-title" });
  facts(box, told);
  if (!pair) return;
  made(box, "h3", t("site.pair", { scenario: scenario(pair.scenario_id), period: period(pair.time_period, pair.years) }));
  made(box, "p", sentence(pair), { class: "loss" });
  if (pair.risks.length) risks(box, pair);
  if (told.pairs.length > 1) pairs(box, told);
}

// The loss of a site or a portfolio with its interval; what is calibrated on losses apart from what is not
export function sentence(sum) {
  if (missing(sum.total_expected_loss)) return t("site.no_loss");
  const part = (name) => t(`apart.${name}`, {
    loss: money(sum[`total_expected_loss_${name}`]), ends: ends(sum[`total_expected_loss_${name}_low`], sum[`total_expected_loss_${name}_high`], money),
  });
  const both = !missing(sum.total_expected_loss_calibrated) && !missing(sum.total_expected_loss_uncalibrated);
  const parts = [sum.loss_words[LANGUAGE], both ? `${part("calibrated")}; ${part("uncalibrated")}` : "", sum.overlap_note ? t("overlap") : ""];
  return parts.filter(Boolean).join("; ");
}

function facts(box, told) {
  const list = made(box, "dl");
  const item = (key, value) => { if (value) { made(list, "dt", t(`site.${key}`)); made(list, "dd", value); } };
  item("place", t("site.degrees", { latitude: told.latitude, longitude: told.longitude }));
  item("region", region(told));
  item("status", [status(told.status), said(told.reason)].filter(Boolean).join(": "));
  item("value", missing(told.total_asset_value) ? t("site.no_value") : t("money", { money: money(told.total_asset_value) }));
  if (told.cell_basis === "nearest") item("cell", t("site.nearest", { km: (told.cell_distance_m / 1000).toFixed(1) }));
  item("building", told.building_source && t(`building.${told.building_source}`));
  item("assumed", told.imputed_fields.map((name) => t(`field.${name}`)).join(", "));
  for (const [name, value] of Object.entries(told.carried)) {
    if (missing(value)) continue;
    made(list, "dt", name);
    made(list, "dd", value);
  }
}

const sheet = (box, title, names) => table(box, title, names.map((name) => t(`site.${name}`)));

function risks(box, pair) {
  const body = sheet(box, t("site.risks"), ["risk", "aal", "interval", "loss", "interval_loss", "hazard", "hazard_level", "vulnerability", "index", "level", "why"]);
  for (const each of pair.risks) {
    line(body, risk(each.risk_type), [
      percent(each.final_aal), ends(each.final_aal_low, each.final_aal_high, percent), money(each.expected_loss), ends(each.expected_loss_low, each.expected_loss_high, money),
      figure(each.hazard, 2), level(each.hazard_level), figure(each.vulnerability, 0), figure(each.risk_index), level(each.risk_level), said(each.reason),
    ]);
  }
  tellKinds(body, pair.risks.map((each) => kindOf(each.expected_loss, ...(each.calibrated ? [each.expected_loss, null] : [null, each.expected_loss]))));
}

function pairs(box, told) {
  made(box, "h3", t("pairs.title"));
  const body = sheet(box, t("pairs.title"), ["scenario", "period", "loss", "interval_loss", "percent", "index", "level"]);
  for (const each of told.pairs) {
    const share = missing(each.total_expected_loss) || !told.total_asset_value ? NONE : percent(each.total_expected_loss / told.total_asset_value);
    line(body, scenario(each.scenario_id), [
      period(each.time_period, each.years), money(each.total_expected_loss), ends(each.total_expected_loss_low, each.total_expected_loss_high, money),
      share, figure(each.mean_risk_index), level(each.risk_level),
    ]);
  }
  tellKinds(body, told.pairs.map((each) => kindOf(each.total_expected_loss, each.total_expected_loss_calibrated, each.total_expected_loss_uncalibrated)));
}
