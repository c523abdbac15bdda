// Assessing a site at the chosen place: the form, the progress of its job, its results.

import { BASE, Refused, ask } from "./ask.js";
import { level, place, scenarioName, years } from "./cell.js";
import { $, made, missing, mixed, percent, say } from "./dom.js";
import { siteCurve } from "./rare.js";
import { ends, siteLossInWords } from "./sure.js";
import { language, named, number as told, risk as named_risk, t } from "./texts.js";

const HEADINGS = ["risk", "aal", "interval", "loss", "interval", "calibrated", "hazard_level", "level", "index", "hazard", "exposure", "vulnerability", "score"];
let sent = 0, assessed = null;
let chosen = null; // () => {meta, scenario, period}

// "50,000,000,000" is a number, too; what is none goes out as it was written, so that it is refused by name
function number(id) {
  const text = $(id).value.trim(), plain = /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text;
  return text === "" ? undefined : Number.isFinite(Number(plain)) ? Number(plain) : text;
}

// The site of the form, as the service takes it
export function request() {
  const { scenario, period } = chosen();
  const body = {
    latitude: number("lat"),
    longitude: number("lon"),
    scenario_ids: [scenario.scenario_id],
    time_periods: [period.name],
    asset_info: { total_asset_value: number("asset"), floor_area: number("area"), insurance_coverage_rate: number("insured") },
  };
  if ($("known").checked) {
    body.building_info = { structure: $("structure").value, main_purpose: $("main_purpose").value };
    for (const name of ["building_age", "floors_below", "floors_above"]) body.building_info[name] = number(name);
    for (const name of ["has_piloti", "has_seismic_design", "fire_access"]) body.building_info[name] = $(name).checked;
  }
  return body;
}

// What an assessment is of, as it is chosen now
function subject() {
  const { scenario, period } = chosen();
  return JSON.stringify([number("lat"), number("lon"), scenario.scenario_id, period.name]);
}

// An assessment of another place, scenario or period than the chosen is shown no more, nor waited for
export function forget() {
  if (assessed === null || assessed === subject()) return;
  assessed = null;
  sent += 1;
  $("outcome").replaceChildren();
  say($("step"), "");
  $("progress").hidden = true;
}

async function assess(event) {
  event.preventDefault();
  assessed = subject();
  const ticket = ++sent, isOurs = () => ticket === sent; // until the next is sent
  const tell = (text, isServers) => { if (isOurs()) say($("step"), text, isServers); };
  $("outcome").replaceChildren();
  if ($("lat").value === "" || $("lon").value === "") return tell(t("site.no_place"));
  $("progress").hidden = false;
  $("progress").value = 0;
  tell(t("site.sending"));
  try {
    const answer = await ask("api/v1/risk-assessment/calculate", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request()),
    });
    const { request_id } = await answer.json();
    if (isOurs()) follow(request_id, tell, isOurs);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message, true);
  }
}

function follow(id, tell, isOurs) {
  const key = sessionStorage.getItem("key");
  const safe = key && btoa(String.fromCharCode(...new TextEncoder().encode(key))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const address = new URL(`api/v1/risk-assessment/ws/${id}?lang=${language}`, BASE.replace(/^http/, "ws"));
  const socket = new WebSocket(address, key ? [`key.${safe}`] : []);
  let ended = false;
  socket.onmessage = ({ data }) => {
    if (!isOurs()) return socket.close();
    const state = JSON.parse(data), fault = state.error_message ?? state.error;
    if (state.progress !== undefined) $("progress").value = state.progress;
    ended = !["queued", "running"].includes(state.status);
    if (fault) tell(fault, true);
    else tell(ended ? t(`state.${state.status}`) : t("site.running", { percent: state.progress }));
    if (state.status === "completed") outcome(state.results);
  };
  socket.onclose = () => {
    if (!ended && isOurs()) setTimeout(() => follow(id, tell, isOurs), 2000); // the job goes on without us
  };
}

const figure = (value, digits) => (missing(value) ? "–" : value.toFixed(digits));
const money = (value) => (missing(value) ? "–" : told(value));
const kilometres = (results) => (results.cell_distance_m / 1000).toFixed(1);

function outcome(results) {
  const box = $("outcome"), pair = results.scenarios[0], whole = pair.integrated_risk;
  const { meta, scenario, period } = chosen(); // of the chosen: one of anything else is not ours any more
  const scored = results.risk_types.filter((risk) => !missing(whole.risk_breakdown[risk].risk_score));
  const of = (count) => (count < results.risk_types.length ? t("site.some_risks", { count, all: results.risk_types.length }) : t("site.all_risks"));
  const priced = results.risk_types.length - pair.aal.risks_without_loss.length;
  box.replaceChildren();
  made(box, "h3", `${place(results.latitude, results.longitude)}, ${scenarioName(meta, scenario)}, ${years(period)}`);
  if (missing(pair.aal.total_expected_loss)) made(box, "p", t("site.no_loss"), { class: "loss" });
  else siteLossInWords(box, t("site.loss", { risks: of(priced) }), pair.aal);
  siteCurve(box, pair.year_losses, results.year_losses_note);
  made(box, "p", t("site.index", { value: figure(whole.mean_risk_index, 1), level: level(meta, whole.risk_level), risks: of(scored.length) }));
  building(box, results);
  const reasons = table(box, results, pair, meta);
  const value = +(100 * results.exposure[results.risk_types[0]].normalized_asset_value).toPrecision(3);
  made(box, "p", t("site.score", { score: figure(whole.total_risk_score, 2), value }), { class: "note" });
  for (const [risk, note] of Object.entries(results.notes)) {
    mixed(box, "p", [`${t("site.aal_of", { risk: named_risk(risk) })}: `, { english: `${note.charAt(0).toLowerCase()}${note.slice(1)}.` }], { class: "note" });
  }
  for (const [reason, risks] of reasons) {
    const [code, field] = reason.split(":");
    const said = field ? t(`reason.${code}`, { field: named("field", field) }) : named("reason", code);
    made(box, "p", `${risks.join(", ")}: ${said}.`, { class: "note" });
  }
}

function building(box, { building, ...results }) {
  const assumed = building.imputed_fields.map((name) => named("field", name)).join(", ");
  const source = t(`site.from.${["caller", "database"].includes(building.building_source) ? building.building_source : "default"}`);
  const away = results.cell_basis === "nearest" ? ` ${t("site.nearest", { km: kilometres(results) })}` : "";
  made(box, "p", `${t(assumed ? "site.building_assumed" : "site.building", { source, assumed })}${away}`);
}

// A row a risk; gives reason -> risks, of what could not be computed
function table(box, results, pair, meta) {
  const sheet = made(box, "table"), head = made(made(sheet, "thead"), "tr"), rows = made(sheet, "tbody"), reasons = new Map();
  for (const name of HEADINGS) made(head, "th", t(`sheet.${name}`), { scope: "col" });
  for (const risk of results.risk_types) {
    const part = pair.integrated_risk.risk_breakdown[risk], aal = pair.aal.risks[risk], row = made(rows, "tr");
    made(row, "th", named_risk(risk), { scope: "row" });
    const lost = aal?.reason === "not_priced" ? [t("legend.not_priced"), "–", "–"] : missing(aal?.expected_loss) ? ["–", "–", "–"]
      : [money(aal.expected_loss), ends(aal.expected_loss_low, aal.expected_loss_high, money), t(aal.calibrated ? "site.calibrated" : "site.uncalibrated")];
    const levels = [part.hazard_level ? level(meta, part.hazard_level) : "–", level(meta, part.risk_level)];
    const figures = [figure(part.risk_index, 1), figure(part.hazard, 2), figure(part.exposure, 2), figure(part.vulnerability, 0), figure(part.risk_score, 2)];
    for (const text of [missing(aal?.final_aal) ? "–" : percent(aal.final_aal), ends(aal?.final_aal_low, aal?.final_aal_high, percent), ...lost, ...levels, ...figures]) made(row, "td", text);
    for (const reason of new Set([part.reason, aal?.reason])) if (reason) reasons.set(reason, [...(reasons.get(reason) ?? []), named_risk(risk)]);
  }
  return reasons;
}

// of: () => {meta, scenario, period} of the choice of the moment
export function startForm(of) {
  chosen = of;
  for (const id of ["structure", "main_purpose"]) $(id).value = t(`default.${id}`);
  $("known").addEventListener("change", () => { $("building").hidden = $("building").disabled = !$("known").checked; });
  for (const id of ["lat", "lon"]) $(id).addEventListener("input", forget);
  $("site").addEventListener("submit", assess);
}
