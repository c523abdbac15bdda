// Two portfolios, or two assessments of one, beside each other: /portfolio?id=A&with=B.

import { Refused } from "../ask.js";
import { $, capital, made, say } from "../dom.js";
import { ask, PORTFOLIO } from "../portfolio/server.js";
import { line, tellKinds } from "../portfolio/tables.js";
import { put } from "../portfolio/url.js";
import { twoCurves } from "./chart.js";
import { kindOfSum, noteOf, table } from "./result.js";
import { saved } from "./server.js";
import { ends, field, kindOf, language, missing, money, NONE, percent, period, risk, said, scenario, t } from "./text.js";

const LISTED = 200, FORMATS = ["xlsx", "csv"], KNOWN = "portfolios", KEPT = 20;

// Portfolios that this browser has shown, the newest first: nobody remembers an id
function known() {
  return JSON.parse(localStorage.getItem(KNOWN) ?? "[]");
}

export class Compare {
  constructor(results) {
    this.results = results;
    this.sent = 0;
    const box = this.box = $("compare");
    box.setAttribute("aria-label", t("compare.title"));
    made(box, "h2", t("compare.title"));
    made(box, "p", t("compare.lead"));
    const form = made(box, "form", undefined, { id: "compare-form" });
    this.other = made(made(form, "label", t("compare.with")), "input", undefined, { id: "with", list: "known", autocomplete: "off", size: 38, placeholder: t("compare.same") });
    this.names = made(form, "datalist", undefined, { id: "known" });
    const select = (id, text) => made(made(form, "label", text), "select", undefined, { id });
    this.scenario = select("with-scenario", t("compare.scenario"));
    this.period = select("with-period", t("compare.period"));
    for (const id of ["1", "2", "3", "4"]) made(this.scenario, "option", scenario(id), { value: id });
    for (const name of ["short_term", "mid_term", "long_term", "full"]) made(this.period, "option", period(name, ""), { value: name });
    made(form, "button", t("compare.ask"));
    this.step = made(box, "p", undefined, { role: "status", id: "compare-step" });
    this.result = made(box, "div", undefined, { id: "compare-result" });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      put({ with: this.other.value.trim() || this.results.id, with_scenario: this.scenario.value, with_period: this.period.value });
      this.show({ focus: true });
    });
  }

  // A portfolio, scenario or period is shown: what the address compares it with is shown, too
  renew() {
    this.sent += 1;
    this.result.replaceChildren();
    const { id, told, chosen } = this.results, asked = new URLSearchParams(location.search);
    const listed = [{ id, name: $("portfolio-name").textContent || told.name }, ...known().filter((each) => each.id !== id)].slice(0, KEPT);
    localStorage.setItem(KNOWN, JSON.stringify(listed));
    this.names.replaceChildren();
    for (const each of listed) made(this.names, "option", each.name, { value: each.id });
    this.other.value = asked.get("with") ?? "";
    this.scenario.value = asked.get("with_scenario") ?? chosen.scenario_id;
    this.period.value = asked.get("with_period") ?? chosen.time_period;
    if (asked.has("with")) this.show({ focus: false });
  }

  address(format) {
    const { id, chosen } = this.results;
    const query = new URLSearchParams({
      with: this.other.value.trim() || id, scenario_id: chosen.scenario_id, time_period: chosen.time_period,
      with_scenario_id: this.scenario.value, with_time_period: this.period.value, format,
    });
    return `${PORTFOLIO}/${id}/compare?${query}`;
  }

  async show({ focus }) {
    const ticket = ++this.sent;
    this.result.replaceChildren();
    say(this.step, t("computing"));
    try {
      const told = await (await ask(this.address("json"))).json();
      if (ticket !== this.sent) return;
      say(this.step, "");
      this.told(told);
      if (focus) this.result.querySelector("h3").focus();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (ticket === this.sent) say(this.step, error.message, true);
    }
  }

  table(name, names) {
    made(this.result, "h4", capital(t(`compare.${name}`)));
    return table(this.result, t(`compare.${name}`), names, "compared");
  }

  told(told) {
    const { result } = this, sides = [told.first, told.second];
    made(result, "h3", t("compare.heading"), { tabindex: "-1" });
    made(result, "p", missing(told.difference) ? t("compare.unknown") : t("compare.difference", { difference: signed(told.difference) }), { class: "loss" });
    if (told.difference_note) made(result, "p", told.difference_note[language], { class: "note" });
    if (told.scope_note) made(result, "p", said(told.scope_note), { class: "note" });
    const body = this.table("sums", ["which", "portfolio", "pair", "run", "sites", "value", "loss", "interval", "ratio"]);
    for (const [i, side] of sides.entries()) {
      line(body, t(`compare.${i ? "second" : "first"}`), [
        /^[0-9a-f]{64}$/.test(side.name) ? t("compare.unnamed") : side.name, t("pair", { scenario: scenario(side.scenario_id), period: period(side.time_period, side.years) }),
        side.runs.map((run) => `${run.run_id} (${run.edition})`).join(", "), side.sites_in_total.toLocaleString(language), money(side.total_asset_value), money(side.total_expected_loss),
        ends(side.total_expected_loss_low, side.total_expected_loss_high, money), percent(side.expected_loss_ratio),
      ]);
    }
    tellKinds(body, sides.map(kindOfSum));
    this.risks(told);
    if (sides.every((side) => side.curve.length)) twoCurves(result, sides.map((side, i) => ({ name: t(`compare.${i ? "second" : "first"}`), points: side.curve })), noteOf(told.first));
    else made(result, "p", t("compare.no_curve"), { class: "note" });
    this.assets(told);
    for (const format of FORMATS) {
      made(result, "button", t(`save.${format}`), { type: "button", id: `compare-${format}` }).addEventListener("click", () => this.save(format));
    }
  }

  risks(told) {
    const body = this.table("by_risk", ["risk", "first", "second", "difference"]), kinds = [];
    for (const each of told.by_risk) {
      const trusted = [each.calibrated_first, each.calibrated_second].filter((one) => !missing(one));
      line(body, risk(each.risk_type), [money(each.expected_loss_first), money(each.expected_loss_second), signed(each.difference)]);
      kinds.push(kindOf(0, trusted.some(Boolean) ? 0 : null, trusted.every(Boolean) ? null : 0));
    }
    tellKinds(body, kinds);
  }

  assets(told) {
    const counts = Object.entries(told.counts).filter(([, each]) => each.assets);
    made(this.result, "p", counts.map(([status, each]) => t("compare.count", { status: t(`status.${status}`), count: each.assets.toLocaleString(language), difference: signed(each.difference) })).join("; "));
    if (!told.assets.length) return;
    const kind = kindOfSum(told.second), listed = told.assets.slice(0, LISTED);
    const body = this.table("assets", ["asset", "status", "changed", "first", "second", "difference"]);
    for (const each of listed) {
      const changed = [...each.changes.map((one) => t("compare.change", { field: field(one.field), before: one.before ?? NONE, after: one.after ?? NONE }))];
      if (each.new_results.length) changed.push(t("compare.results", { risks: each.new_results.map(risk).join(", ") }));
      line(body, [each.key, each.name].filter(Boolean).join(", "), [t(`status.${each.status}`), changed.join("; "), money(each.total_expected_loss_first), money(each.total_expected_loss_second), signed(each.difference)], { "data-status": each.status });
    }
    tellKinds(body, listed.map((each) => (missing(each.difference) ? null : kind)));
    if (told.assets.length > LISTED) made(this.result, "p", t("compare.cut", { count: LISTED, all: told.assets.length.toLocaleString(language) }), { class: "note" });
  }

  async save(format) {
    await saved(await ask(this.address(format)), `comparison.${format}`);
  }
}

function signed(value) {
  return missing(value) ? NONE : `${value > 0 ? "+" : value < 0 ? "−" : ""}${money(Math.abs(value))}`;
}
