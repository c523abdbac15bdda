// The table of the sites: its columns, its filters, and the sites that the map shows with them.

import { $, made } from "../dom.js";
import { Grid } from "./grid.js";
import { meanings, word } from "./tables.js";
import { basisOf, ends, figure, has, kindOf, level, missing, money, NONE, percent, region, risk, said, status, t } from "./text.js";

const ratio = (site) => (missing(site.total_expected_loss) || !site.total_asset_value ? null : site.total_expected_loss / site.total_asset_value);
const order = ["minimal", "low", "moderate", "high", "critical"];

const column = (name, width, value, text = (site) => value(site) ?? NONE, number = true) => ({ name, title: t(`sites.${name}`), width, value, text, number });
const COLUMNS = () => [
  column("row", 70, (site) => site.row),
  column("id", 110, (site) => site.site_id, undefined, false),
  column("name", 170, (site) => site.name, undefined, false),
  column("region", 200, region, undefined, false),
  column("value", 150, (site) => site.total_asset_value, (site) => money(site.total_asset_value)),
  column("loss", 150, (site) => site.total_expected_loss, (site) => money(site.total_expected_loss)),
  column("interval", 250, (site) => site.total_expected_loss_high, (site) => ends(site.total_expected_loss_low, site.total_expected_loss_high, money)),
  column("basis", 110, (site) => word(kindOfSite(site)), undefined, false),
  column("calibrated", 150, (site) => site.total_expected_loss_calibrated, (site) => money(site.total_expected_loss_calibrated)),
  column("percent", 90, ratio, (site) => percent(ratio(site))),
  column("main", 110, (site) => (site.highest_aal_risk ? risk(site.highest_aal_risk) : null), undefined, false),
  column("index", 80, (site) => site.mean_risk_index, (site) => figure(site.mean_risk_index)),
  column("risk_level", 90, (site) => (site.risk_level ? order.indexOf(site.risk_level) : null), (site) => level(site.risk_level)),
  column("status", 260, (site) => status(site.status), (site) => [status(site.status), said(site.reason)].filter(Boolean).join(": "), false),
];

const kindOfSite = (site) => kindOf(site.total_expected_loss, site.total_expected_loss_calibrated, site.total_expected_loss_uncalibrated);
const OF_KINDS = ["basis", "calibrated"]; // columns that say nothing where all losses are of one kind

// lists: a list a column, as the service answers -> an object a site
export function sitesOf(lists) {
  const names = Object.keys(lists).filter((name) => Array.isArray(lists[name]));
  return lists.row.map((_, i) => Object.fromEntries(names.map((name) => [name, lists[name][i]])));
}

export class Sites {
  // onOpen: called with a site; onShown: called with the sites that the filters leave
  constructor(onOpen, onShown) {
    this.grid = new Grid($("table"), t("sites.title"), COLUMNS(), onOpen);
    this.grid.sorted = { by: null, down: true };
    this.onShown = onShown;
    this.fill($("of-level"), order.map((name) => [name, level(name)]));
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["search", "least"]) $(name).addEventListener("input", () => this.narrow());
    for (const name of ["of-level", "of-risk"]) $(name).addEventListener("change", () => this.narrow());
  }

  fill(select, options) {
    const before = select.value;
    select.replaceChildren();
    made(select, "option", t("sites.any"), { value: "" });
    for (const [value, text] of options) made(select, "option", text, { value });
    select.value = options.some(([value]) => value === before) ? before : "";
  }

  // total: of the portfolio; more than are listed where it is large
  show(sites, total) {
    this.total = total;
    const named = [...new Set(sites.map((site) => site.highest_aal_risk).filter(Boolean))].filter((name) => has(`risk.${name}`));
    this.fill($("of-risk"), named.map((name) => [name, risk(name)]));
    this.grid.all = sites;
    this.tellKinds(sites);
    if (this.grid.sorted.by === null) this.grid.sort("loss", true);
    this.narrow();
  }

  tellKinds(sites) {
    const kinds = [...new Set(sites.map(kindOfSite).filter(Boolean))];
    $("kinds").textContent = kinds.length === 1 ? t("basis.all", { basis: basisOf(kinds[0]) }) : meanings(kinds);
    this.grid.lay(COLUMNS().filter((each) => kinds.length > 1 || !OF_KINDS.includes(each.name)));
  }

  narrow() {
    const word = $("search").value.trim().toLowerCase(), of = $("of-level").value, by = $("of-risk").value;
    const least = Number($("least").value.replaceAll(",", "")) || null;
    const told = (site) => [site.row, site.site_id, site.name, site.admin_name, ...Object.values(site.region ?? {})].some((value) => !missing(value) && String(value).toLowerCase().includes(word));
    this.grid.filter((site) => (!of || site.risk_level === of) && (!by || site.highest_aal_risk === by) && (least === null || site.total_expected_loss >= least) && (!word || told(site)));
    const count = this.grid.rows.length, all = this.grid.all.length;
    const shown = t("sites.shown", { count: count.toLocaleString(), all: all.toLocaleString() });
    $("shown").textContent = all < this.total ? `${shown} ${t("sites.cut", { total: this.total.toLocaleString() })}` : shown;
    this.onShown(this.grid.rows);
  }
}
