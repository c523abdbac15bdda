// On the portfolio page: what a measure saves at all sites, at those of the table, or at the opened one.

import { Refused } from "../ask.js";
import { $, made, say } from "../dom.js";
import { PORTFOLIO } from "../portfolio/server.js";
import { line, tellKinds } from "../portfolio/tables.js";
import { MeasureForm } from "./form.js";
import { kindOfSum, showWhatIf, table } from "./result.js";
import { posted, saved } from "./server.js";
import { language, money, t } from "./text.js";

const LISTED = 50, FORMATS = ["xlsx", "csv"];

export class Measures {
  // results: of the page: id, chosen, site, sites
  constructor(results) {
    this.results = results;
    this.box = $("measures");
    this.sent = 0;
    this.box.setAttribute("aria-label", t("title"));
    made(this.box, "h2", t("title"));
    made(this.box, "p", t("lead_portfolio"));
    const sheet = made(this.box, "div", undefined, { class: "sheet" }), form = made(sheet, "form", undefined, { id: "measure" });
    const scope = made(made(form, "label", t("scope")), "select", undefined, { id: "measure-scope" });
    for (const name of ["all", "table", "site"]) made(scope, "option", t(`scope.${name}`), { value: name });
    this.scope = scope;
    this.fields = new MeasureForm(form, { whole: true });
    made(form, "button", t("ask"));
    const side = made(sheet, "div");
    this.step = made(side, "p", undefined, { role: "status", id: "whatif-step" });
    this.result = made(side, "div", undefined, { id: "whatif-result" });
    form.addEventListener("submit", (event) => { event.preventDefault(); this.guarded(() => this.ask()); });
  }

  // Another portfolio, scenario or period is shown: an answer on what was before goes
  renew() {
    this.sent += 1;
    this.result.replaceChildren();
    say(this.step, "");
  }

  // A site is opened, or none is any more: the measure is asked of what is looked at
  looksAt(site) {
    this.scope.value = site ? "site" : "all";
  }

  async guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(this.step, error.message, true);
    }
  }

  measure() {
    const { site, sites } = this.results, told = this.fields.measure();
    if (this.scope.value === "site") return { ...told, sites: { rows: site ? [site.row] : [] } };
    if (this.scope.value === "table" && sites.grid.rows.length < sites.grid.all.length) return { ...told, sites: { rows: sites.grid.rows.map((each) => each.row) } };
    return told;
  }

  // format -> where the answer of the moment is asked for, whatever is chosen later
  address() {
    const { id, chosen } = this.results, of = this.scope.value === "site" ? "taken" : "all";
    const query = `scenario_id=${chosen.scenario_id}&time_period=${chosen.time_period}&most=${LISTED}&of=${of}`;
    return (format) => `${PORTFOLIO}/${id}/what-if?${query}&format=${format}`;
  }

  async ask() {
    this.renew();
    if (this.scope.value === "site" && !this.results.site) return say(this.step, t("no_site"));
    const ticket = this.sent, measure = this.measure(), address = this.address();
    say(this.step, t("computing"));
    const told = await (await posted(address("json"), measure)).json();
    if (ticket !== this.sent) return;
    say(this.step, "");
    showWhatIf(this.result, told, told.results[0]);
    this.list(told);
    for (const format of FORMATS) {
      const button = made(this.result, "button", t(`save.${format}`), { type: "button", id: `whatif-${format}` });
      button.addEventListener("click", () => this.guarded(async () => saved(await posted(address(format), measure), `what_if.${format}`)));
    }
    this.result.querySelector("h3").focus();
  }

  list(told) {
    const rows = told.saved_sites.filter((each) => each.taken);
    if (!rows.length) return;
    made(this.result, "h3", t("sites.title", { count: rows.length }));
    const body = table(this.result, t("sites.title", { count: rows.length }), ["row", "id", "before", "after", "saving"], "head"), kind = kindOfSum(told.results[0].before);
    for (const each of rows) {
      const named = [each.site_id, each.name].filter(Boolean).join(", ");
      const row = line(body, undefined, [named, money(each.loss_before), money(each.loss_after), money(each.saving)]);
      made(row.firstChild, "button", t("sites.open", { row: each.row.toLocaleString(language) }), { type: "button", class: "link" }).addEventListener("click", () => this.results.open(each.row));
    }
    tellKinds(body, rows.map((each) => (each.loss_before === null ? null : kind)));
  }
}

