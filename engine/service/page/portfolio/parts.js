// Where the loss comes from: by risk and by site, in the mean year and in the worst years.

import { $, made } from "../dom.js";
import { line, table, tellKinds } from "./tables.js";
import { ends, figure, kindOf, missing, money, percent, period, risk, scenario, t } from "./text.js";

const kind = (loss, calibrated) => kindOf(loss, ...(calibrated ? [loss, null] : [null, loss]));

// pair: of portfolio.json; told: answer of .../curve; ids: {scenario_id, time_period}; open: called with a row
export function showParts(pair, told, ids, open) {
  const ours = (told.contributions ?? []).filter((each) => each.scenario_id === ids.scenario_id && each.time_period === ids.time_period);
  const worst = new Map(ours.filter((each) => each.by === "risk").map((each) => [each.risk_type, each.tvar_99]));
  byRisk(pair, worst);
  bySite(ours.filter((each) => each.by === "site").slice(0, 20), pair, open);
}

function byRisk(pair, worst) {
  const rows = Object.entries(pair.expected_loss_by_risk).sort(([, a], [, b]) => (b.expected_loss ?? -1) - (a.expected_loss ?? -1));
  const whole = pair.total_expected_loss, body = fresh("by-risk", t("parts.risk"), ["risk", "loss", "interval", "share", "worst", "sites", "left_out"]);
  for (const [name, each] of rows) {
    const share = missing(each.expected_loss) || !whole ? null : each.expected_loss / whole;
    const row = line(body, risk(name), [money(each.expected_loss), ends(each.expected_loss_low, each.expected_loss_high, money)]);
    const cell = made(row, "td", percent(share), { class: "bar-cell" });
    made(cell, "i").style.width = `${100 * (share ?? 0)}%`;
    for (const text of [money(worst.get(name)), each.sites.toLocaleString(), each.sites_left_out.toLocaleString()]) made(row, "td", text);
  }
  tellKinds(body, rows.map(([, each]) => kind(each.expected_loss, each.calibrated)));
}

function bySite(rows, pair, open) {
  const whole = pair.total_expected_loss;
  $("by-site").hidden = !rows.length;
  const body = fresh("by-site", t("parts.site"), ["row", "id", "loss", "share", "worst"]);
  for (const each of rows) {
    const row = line(body, undefined, [each.site_id ?? "", money(each.mean), whole ? percent(each.mean / whole) : "", money(each.tvar_99)]);
    made(row.firstChild, "button", t("parts.open", { row: each.row }), { type: "button", class: "link" }).addEventListener("click", () => open(each.row));
  }
  tellKinds(body, rows.map((each) => kind(each.mean, !each.loss_note)));
}

function fresh(id, title, names) {
  $(id).replaceChildren();
  made($(id), "h3", title);
  return table($(id), title, names.map((name) => t(`parts.${name}`)));
}

// Every scenario and window side by side. results: of portfolio.json; idOf: pair -> number of its scenario; choose: (id, window)
export function showPairs(results, idOf, chosen, choose) {
  $("pairs").replaceChildren();
  made($("pairs"), "p", t("pairs.caption"), { class: "note" });
  const body = table($("pairs"), t("pairs.title"), ["scenario", "period", "loss", "interval", "ratio", "once", "index", "level"].map((name) => t(`pairs.${name}`)));
  for (const pair of results) {
    const id = idOf(pair), is = id === chosen.scenario_id && pair.time_period === chosen.time_period, years = pair.year_losses;
    const once = years ? t("pairs.once_in", { count: years.return_period, percent: figure(years.loss_percent) }) : t("pairs.no_once");
    const row = line(body, undefined, [
      period(pair.time_period, pair.years), money(pair.total_expected_loss), ends(pair.total_expected_loss_low, pair.total_expected_loss_high, money),
      percent(pair.expected_loss_ratio), once, figure(pair.mean_risk_index),
      Object.entries(pair.sites_by_risk_level).filter(([, count]) => count).map(([name, count]) => t("pairs.levels", { level: t(`level.${name}`), count })).join(", "),
    ], is ? { "aria-current": "true" } : {});
    made(row.firstChild, "button", scenario(id), { type: "button", class: "link", "aria-pressed": is }).addEventListener("click", () => choose(id, pair.time_period));
  }
  tellKinds(body, results.map((pair) => kindOf(pair.total_expected_loss, pair.total_expected_loss_calibrated, pair.total_expected_loss_uncalibrated)));
}
