// Where the loss comes from: by risk and by site, in the mean year and in the worst years.

import { $, made } from "../dom.js";
import { basis, ends, figure, missing, money, percent, period, risk, scenario, t } from "./text.js";

const noteOf = (loss, calibrated) => (missing(loss) ? basis(null) : calibrated ? basis(loss, loss, null) : basis(loss, null, loss));

// pair: of portfolio.json; told: answer of .../curve; ids: {scenario_id, time_period}; open: called with a row
export function showParts(pair, told, ids, open) {
  const ours = (told.contributions ?? []).filter((each) => each.scenario_id === ids.scenario_id && each.time_period === ids.time_period);
  const worst = new Map(ours.filter((each) => each.by === "risk").map((each) => [each.risk_type, each.tvar_99]));
  byRisk(pair, worst);
  bySite(ours.filter((each) => each.by === "site").slice(0, 20), pair, open);
}

function byRisk(pair, worst) {
  const rows = Object.entries(pair.expected_loss_by_risk).sort(([, a], [, b]) => (b.expected_loss ?? -1) - (a.expected_loss ?? -1));
  const whole = pair.total_expected_loss, body = table($("by-risk"), "parts.risk", ["risk", "loss", "interval", "basis", "share", "worst", "sites", "left_out"]);
  for (const [name, each] of rows) {
    const line = made(body, "tr"), share = missing(each.expected_loss) || !whole ? null : each.expected_loss / whole;
    made(line, "th", risk(name), { scope: "row" });
    for (const text of [money(each.expected_loss), ends(each.expected_loss_low, each.expected_loss_high, money), noteOf(each.expected_loss, each.calibrated)]) made(line, "td", text);
    const cell = made(line, "td", percent(share), { class: "bar-cell" });
    made(cell, "i").style.width = `${100 * (share ?? 0)}%`;
    for (const text of [money(worst.get(name)), each.sites.toLocaleString(), each.sites_left_out.toLocaleString()]) made(line, "td", text);
  }
}

function bySite(rows, pair, open) {
  const whole = pair.total_expected_loss, box = $("by-site");
  box.hidden = !rows.length;
  const body = table(box, "parts.site", ["row", "id", "loss", "basis", "share", "worst"]);
  for (const each of rows) {
    const line = made(body, "tr");
    made(made(line, "th", undefined, { scope: "row" }), "button", t("parts.open", { row: each.row }), { type: "button", class: "link" }).addEventListener("click", () => open(each.row));
    for (const text of [each.site_id ?? "", money(each.mean), noteOf(each.mean, !each.loss_note), whole ? percent(each.mean / whole) : "", money(each.tvar_99)]) made(line, "td", text);
  }
}

function table(box, title, names) {
  box.replaceChildren();
  const whole = made(box, "table");
  made(whole, "caption", t(title));
  const head = made(made(whole, "thead"), "tr");
  for (const name of names) made(head, "th", t(`parts.${name}`), { scope: "col" });
  return made(whole, "tbody");
}

// Every scenario and window side by side. results: of portfolio.json; idOf: pair -> number of its scenario; choose: (id, window)
export function showPairs(results, idOf, chosen, choose) {
  const body = table($("pairs"), "pairs.caption", []), head = $("pairs").querySelector("thead tr");
  for (const name of ["scenario", "period", "loss", "interval", "basis", "ratio", "once", "index", "level"]) made(head, "th", t(`pairs.${name}`), { scope: "col" });
  for (const pair of results) {
    const id = idOf(pair), is = id === chosen.scenario_id && pair.time_period === chosen.time_period, years = pair.year_losses;
    const line = made(body, "tr", undefined, is ? { "aria-current": "true" } : {});
    made(made(line, "th", undefined, { scope: "row" }), "button", scenario(id), { type: "button", class: "link", "aria-pressed": is }).addEventListener("click", () => choose(id, pair.time_period));
    const once = years ? t("pairs.once_in", { count: years.return_period, percent: figure(years.loss_percent) }) : t("pairs.no_once");
    for (const text of [
      period(pair.time_period, pair.years), money(pair.total_expected_loss), ends(pair.total_expected_loss_low, pair.total_expected_loss_high, money),
      basis(pair.total_expected_loss, pair.total_expected_loss_calibrated, pair.total_expected_loss_uncalibrated), percent(pair.expected_loss_ratio), once, figure(pair.mean_risk_index),
      Object.entries(pair.sites_by_risk_level).filter(([, count]) => count).map(([name, count]) => t("pairs.levels", { level: t(`level.${name}`), count })).join(", "),
    ]) made(line, "td", text);
  }
}
