// The same building in every cell: a layer of the map, the cells near the site that would lose less, a sheet.

import { Refused } from "../ask.js";
import { $, made, say } from "../dom.js";
import { line, tellKinds } from "../portfolio/tables.js";
import { table } from "./result.js";
import { posted, saved } from "./server.js";
import { basisOf, ENGLISH, ends, missing, money, NONE, percent, period, region, risk, said, scenario, t } from "./text.js";

const SHOWN = "where-else";

export class Elsewhere {
  constructor(box, { request, panel }) {
    Object.assign(this, { request, panel, sent: 0 });
    made(box, "h2", t("elsewhere.title"));
    made(box, "p", t("elsewhere.lead"));
    const form = made(box, "form", undefined, { id: "elsewhere-form" });
    this.far = made(made(form, "label", t("elsewhere.within")), "input", undefined, { id: "within", inputmode: "decimal", autocomplete: "off", size: 6 });
    this.far.value = "30";
    made(form, "button", t("elsewhere.ask"));
    this.of = made(made(form, "label", t("elsewhere.layer")), "select", undefined, { id: "elsewhere-risk" });
    this.of.disabled = true;
    this.step = made(box, "p", undefined, { role: "status", id: "elsewhere-step" });
    this.box = made(box, "div", undefined, { id: "elsewhere-result" });
    form.addEventListener("submit", (event) => { event.preventDefault(); this.guarded(() => this.find()); });
    this.of.addEventListener("change", () => this.guarded(() => this.paint()));
  }

  async guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(this.step, error.message, true);
    }
  }

  async find() {
    const ticket = ++this.sent, site = this.request(), far = Number(this.far.value.replaceAll(",", ""));
    this.box.replaceChildren();
    if (site.latitude === undefined || site.longitude === undefined) return say(this.step, t("no_place"));
    if (!Number.isFinite(far) || this.far.value.trim() === "") return say(this.step, t("elsewhere.number"));
    say(this.step, t("computing"));
    this.body = { site, within_km: far };
    const told = await (await posted("api/v1/where-else", this.body)).json();
    if (ticket !== this.sent) return;
    say(this.step, "");
    this.told = told;
    this.of.replaceChildren();
    for (const name of ["", ...told.counted]) made(this.of, "option", name ? risk(name) : t("elsewhere.total"), { value: name });
    this.of.disabled = false;
    this.show();
    await this.paint();
  }

  // The layer in place of the map's own; any choice above the map brings that back
  async paint() {
    const name = this.of.value, body = this.body, of = name ? risk(name) : t("elsewhere.total");
    const answer = await posted(`api/v1/where-else?format=values${name ? `&risk_type=${name}` : ""}`, body);
    const values = new Float32Array(await answer.arrayBuffer());
    if (body !== this.body || name !== this.of.value) return; // a later one is on its way
    await this.panel().lend(SHOWN, values, { title: t("elsewhere.legend", { risk: of }), note: t("elsewhere.note"), lacks: t("elsewhere.lacks") });
  }

  show() {
    const { told, box } = this, code = scenario(told.scenario_id), here = told.here;
    box.replaceChildren();
    made(box, "h3", t("elsewhere.heading", { scenario: code, period: period(told.time_period, told.years) }), { tabindex: "-1" }).focus();
    const loss = missing(here.total_expected_loss) ? NONE : t("elsewhere.loss", { loss: money(here.total_expected_loss), ends: ends(here.total_expected_loss_low, here.total_expected_loss_high, money) });
    made(box, "p", t("elsewhere.here", { aal: percent(here.total_aal), loss, basis: basisOf(this.kind(here)) }), { class: "loss" });
    made(box, "p", t("elsewhere.counted", { risks: told.counted.map(risk).join(", ") }));
    for (const [name, why] of Object.entries(told.left_out)) made(box, "p", t("elsewhere.left_out", { risk: risk(name), why: t(`why.${why.split(":")[0].replaceAll(" ", "_")}`) }), { class: "note" });
    const lacking = Object.entries(told.near_without).map(([name, count]) => t("elsewhere.lacking", { risk: risk(name), count }));
    if (lacking.length) made(box, "p", t("elsewhere.unranked", { count: told.cells_near_without, near: told.cells_near, lacking: lacking.join(", ") }), { class: "note" });
    if (told.overlap_note) made(box, "p", t("overlap"), { class: "note" });
    if (told.scope_note) made(box, "p", said(told.scope_note), { class: "note" });
    if (!told.candidates.length) made(box, "p", t("elsewhere.none", { near: told.cells_near, km: told.within_km }));
    else this.list();
    const sheet = made(box, "button", t("elsewhere.csv"), { type: "button", id: "elsewhere-csv" });
    sheet.addEventListener("click", () => this.guarded(() => this.save()));
    for (const [name, note] of Object.entries(told.risk_notes)) made(box, "p", `${risk(name)}: ${said(note)}`, { class: "note", ...ENGLISH });
  }

  // as of `kindOf`
  kind(place) {
    if (missing(place.total_expected_loss) && missing(place.total_aal)) return null;
    return this.told.loss_note === null ? "calibrated" : this.told.loss_note.startsWith("in part") ? "both" : "index";
  }

  list() {
    const { told, box } = this;
    made(box, "p", t("elsewhere.listed", { count: told.candidates.length, near: told.cells_near, km: told.within_km }));
    const body = table(box, t("elsewhere.candidates"), ["place", "region", "km", "aal", "loss", "interval", "saving"], "candidate");
    for (const each of told.candidates) {
      const row = line(body, undefined, [region(each) ?? NONE, each.kilometres.toFixed(1), percent(each.total_aal), money(each.total_expected_loss), ends(each.total_expected_loss_low, each.total_expected_loss_high, money), money(each.saving)]);
      const go = made(row.firstChild, "button", t("degrees", { latitude: each.latitude.toFixed(3), longitude: each.longitude.toFixed(3) }), { type: "button", class: "link" });
      go.addEventListener("click", () => this.panel().map.choose(each.latitude, each.longitude));
    }
    tellKinds(body, told.candidates.map((each) => this.kind(each)));
  }

  async save() {
    await saved(await posted("api/v1/where-else?format=csv", this.body), "where-else.csv");
  }
}
