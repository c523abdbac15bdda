// The results of a portfolio: sums with their notes, scenarios and windows, map, table, curve, contributions, files.

import { $, made } from "../dom.js";
import { NationalMap } from "../map.js";
import { showCurve } from "./curve.js";
import { faultTable } from "./faults.js";
import { showPairs, showParts } from "./parts.js";
import { Places } from "./places.js";
import { ask, asked, download, PORTFOLIO, BASE, Refused } from "./server.js";
import { sentence, showSite } from "./site.js";
import { Sites, sitesOf } from "./sites.js";
import { ENGLISH, LANGUAGE, missing, money, ofScope, percent, period, said, scenario, t } from "./text.js";
import { put } from "./url.js";
import { Compare } from "../whatif/compare.js";
import { Measures } from "../whatif/portfolio.js";

const FRAMES = ["totals", "aal", "risk", "exposure", "vulnerability", "failures", "year_losses", "curve", "contributions", "storms"];

export class Results {
  // meta: of api/v1/map, null where nothing is published any more; say: called with what cannot be shown
  constructor(meta, say) {
    this.meta = meta;
    this.say = say;
    this.turn = 0;
    if (meta) this.placeMap();
    else $("mapbox").hidden = true;
    this.sites = new Sites((site) => this.open(site.row), (shown) => this.places?.show(shown));
    [this.measures, this.compare] = [new Measures(this), new Compare(this)];
    for (const id of ["scenario", "period"]) $(id).addEventListener("change", () => this.choose(Number($("scenario").value), $("period").value));
  }

  placeMap() {
    this.map = new NationalMap($("map"), { onChosen: (latitude, longitude) => {
      const site = this.places.near(latitude, longitude);
      if (site) this.open(site.row);
    } });
    this.map.place(this.meta);
    this.places = new Places(this.map, this.meta);
    $("in").addEventListener("click", () => this.map.zoom(0.7));
    $("out").addEventListener("click", () => this.map.zoom(1.4));
    $("whole").addEventListener("click", () => this.map.whole());
    asked("api/v1/map/borders").then((lines) => {
      this.map.stroke("#land", lines.land);
      this.map.stroke("#coastline", lines.coastline);
      this.map.stroke("#provinces", lines.provinces);
    });
  }

  // id: of the portfolio; invalid: its faults; wanted: {scenario, period, site} of the address
  async show(id, invalid, wanted) {
    const where = `${PORTFOLIO}/${id}`;
    [this.told, this.losses] = await Promise.all([asked(`${where}/results?format=json&lang=${LANGUAGE}`), asked(`${where}/curve`)]);
    this.id = id;
    $("results").hidden = false;
    $("portfolio-name").textContent = /^[0-9a-f]{64}$/.test(this.told.name) ? t("results.unnamed") : this.told.name;
    this.notes();
    this.downloads(where);
    faultTable($("faults"), invalid, this.told.invalid_rows ? Math.max(this.told.invalid_rows, invalid.length) : 0);
    $("faults").hidden = !invalid.length;
    ofScope(this.told.scope);
    const ids = [...new Set(this.told.results.map((pair) => this.scenarioOf(pair)))];
    $("scenario").replaceChildren();
    for (const each of ids) made($("scenario"), "option", scenario(each), { value: each });
    const first = this.told.results[0];
    await this.choose(ids.includes(wanted.scenario) ? wanted.scenario : this.scenarioOf(first), wanted.period ?? first.time_period);
    if (wanted.site) await this.open(wanted.site, { focus: false });
  }

  // the number of a scenario that the summary names as `ssp2_4.5`
  scenarioOf(pair) {
    return ["1", "2", "3", "5"].indexOf(pair.scenario.charAt(3)) + 1;
  }

  notes() {
    const { told } = this, box = $("result-notes");
    $("run").textContent = told.runs.map((run) => t("run", { id: run.run_id, edition: run.edition, baseline: run.baseline })).join("; ");
    $("warning").textContent = told.scope_note ? said(told.scope_note) : "";
    $("warning").hidden = !told.scope_note;
    box.replaceChildren();
    if (told.currency && told.currency !== t("currency.code")) made(box, "p", t("results.other_currency", { code: told.currency }), { class: "warn" });
    made(box, "p", t("results.rows", { rows: told.rows.toLocaleString(), invalid: told.invalid_rows.toLocaleString(), assessed: told.assessed_sites.toLocaleString() }), { class: "note" });
    for (const note of told.notes) made(box, "p", note, { class: "note", ...ENGLISH });
    for (const [name, note] of Object.entries(told.risk_notes)) made(box, "p", t("results.risk_note", { risk: t(`risk.${name}`), note: said(note) }), { class: "note" });
  }

  downloads(where) {
    $("downloads").replaceChildren();
    const link = (query, name) => {
      const anchor = made(made($("downloads"), "li"), "a", name, { href: new URL(`${where}/results?${query}`, BASE).href, download: name });
      download(anchor);
      return anchor;
    };
    link("format=xlsx", "portfolio.xlsx");
    link("format=csv", "sites.csv");
    link("format=json", "portfolio.json");
    const parquet = link("frame=totals", "totals.parquet"), item = parquet.parentElement;
    const select = made(item, "select", undefined, { "aria-label": t("downloads.frame"), id: "frame" });
    const held = this.losses.note ? FRAMES.slice(0, 6) : FRAMES.filter((name) => name !== "storms" || !this.losses.storms_note);
    for (const name of held) made(select, "option", name, { value: name });
    select.addEventListener("change", () => {
      parquet.href = new URL(`${where}/results?frame=${select.value}`, BASE).href;
      parquet.download = parquet.textContent = `${select.value}.parquet`;
    });
  }

  async choose(id, name) {
    const ours = this.told.results.filter((pair) => this.scenarioOf(pair) === id);
    const pair = ours.find((each) => each.time_period === name) ?? ours[0];
    this.chosen = { scenario_id: id, time_period: pair.time_period };
    $("scenario").value = id;
    $("period").replaceChildren();
    for (const each of ours) made($("period"), "option", period(each.time_period, each.years), { value: each.time_period });
    $("period").value = pair.time_period;
    put({ scenario: id, period: pair.time_period });
    this.headline(pair);
    for (const part of [this.measures, this.compare]) part.renew();
    showPairs(this.told.results, this.scenarioOf, this.chosen, (...pair) => this.choose(...pair));
    showCurve(this.losses, this.chosen);
    showParts(pair, this.losses, this.chosen, (row) => this.open(row));
    if (this.site) showSite(this.site, this.chosen, () => this.close());
    const turn = ++this.turn;
    const lists = await asked(`${PORTFOLIO}/${this.id}/sites?scenario_id=${id}&time_period=${pair.time_period}`);
    if (turn !== this.turn) return; // a later choice is on its way
    this.sites.show(sitesOf(lists), lists.sites);
    $("results").dataset.shown = `${id} ${pair.time_period}`;
  }

  headline(pair) {
    const box = $("headline"), left = pair.sites_left_out;
    box.replaceChildren();
    made(box, "p", sentence(pair), { class: "loss" });
    const facts = [
      t("results.sum", { sites: pair.sites_in_total.toLocaleString(), value: money(pair.total_asset_value), ratio: percent(pair.expected_loss_ratio) }),
      left ? t("results.left", { sites: left.toLocaleString(), value: money(pair.asset_value_left_out) }) : "",
      missing(pair.mean_risk_index) ? "" : t("results.index", { index: pair.mean_risk_index.toFixed(1) }),
    ];
    for (const text of facts) if (text) made(box, "p", text);
  }

  async open(row, { focus = true } = {}) {
    try {
      this.site = await (await ask(`${PORTFOLIO}/${this.id}/sites/${row}`)).json();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.say(error.message);
      return;
    }
    put({ site: row });
    showSite(this.site, this.chosen, () => this.close());
    this.places?.ring(this.site);
    this.measures.looksAt(this.site);
    if (!focus) return;
    this.back = document.activeElement;
    $("site-title").focus();
    $("site").scrollIntoView({ block: "nearest" });
  }

  close() {
    this.site = null;
    $("site").hidden = true;
    this.places?.ring(null);
    this.measures.looksAt(null);
    put({ site: null });
    (this.back?.isConnected ? this.back : this.sites.grid.box).focus();
  }
}
