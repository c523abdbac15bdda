// Choosing layers, showing cells, assessing a site. Everything comes from /api of the same server.

import { bars, lines } from "./charts.js";
import { $, made, percent, words } from "./dom.js";
import { NationalMap, dotsOf } from "./map.js";
import { lossSteps, returnLevels, siteCurve } from "./rare.js";
import { changeInWords, edition, ends, hatching, lossInWords, siteLossInWords } from "./sure.js";
import { why } from "./why.js";

const degrees = (value, [plus, minus]) => `${+Math.abs(value).toFixed(6)} ${value < 0 ? minus : plus}`;
const place = (lat, lon) => `${degrees(lat, "NS")}, ${degrees(lon, "EW")}`;
// a level of any of its spellings, as it is printed
const level = (word) => meta.levels.find((each) => [each.hazard, each.older, each.printed].includes(word))?.printed ?? word ?? "–";
const map = new NationalMap($("map"), chosen);
const WARNINGS = {
  full: "",
  synthetic: "Synthetic data: shows how the engine works, not a statement about any place.",
  observed: "Observed record: what was measured, no projection.",
};
const METHODS = { kde: "kernel density", count: "counts of samples", fitted: "a fitted distribution", not_priced: "the edition's estimator", not_exposed: "nothing: the cell is not exposed" };
let meta = null, cell = null, painted = 0, asked = 0, sent = 0, assessed = null, painting = new AbortController();

// where the service is seen, whatever path a proxy shows it under
const BASE = new URL("..", import.meta.url).href;

class Refused extends Error {}

async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...options.headers, ...(key ? { "X-API-Key": key } : {}) };
  const answer = await fetch(new URL(path, BASE), { ...options, headers });
  if (answer.ok) return answer;
  if (answer.status === 401) $("keybox").open = true;
  const { detail } = await answer.json().catch(() => ({ detail: answer.statusText }));
  throw new Refused(Array.isArray(detail) ? detail.map((fault) => fault.msg).join("; ") : detail);
}

async function start() {
  meta = await (await ask("api/v1/map")).json();
  $("run").textContent = `Run ${meta.run_id}, methodology edition ${meta.edition}, baseline ${meta.baseline}, published ${meta.published_at.slice(0, 10)}`;
  edition(meta);
  const sample = meta.scope.startsWith("sample") ? `A sample of ${meta.scope.split(":")[1] ?? "some"} cells` : `Data of scope ${meta.scope}`;
  $("warning").textContent = WARNINGS[meta.scope] ?? `${sample}: not the whole country.`;
  if (meta.scope === "observed" && meta.figures_of) $("warning").textContent = `${meta.figures_of.replace(/^o/, "O")}: what was measured, no projection.`;
  $("warning").hidden = !$("warning").textContent;
  for (const risk of meta.risks) made($("risk"), "option", words(risk), { value: risk });
  for (const [risk, why] of Object.entries(meta.absent)) {
    made($("risk"), "option", `${words(risk)} (not computed)`, { value: risk, disabled: "", title: why });
  }
  for (const each of meta.scenarios) made($("scenario"), "option", each.name, { value: each.scenario_id });
  for (const each of meta.periods) made($("period"), "option", `${each.first}–${each.last}, ${words(each.name)}`, { value: each.name });
  const absent = Object.entries(meta.absent).map(([risk, why]) => `${words(risk)}: ${why}`);
  $("absent").textContent = absent.length ? `Not computed: ${absent.join("; ")}.` : "";
  if (meta.scenarios.some((each) => each.scenario_id === 2)) $("scenario").value = 2;
  if (!meta.risks.length) throw new Refused("The published run has no results to show");
  map.place(meta);
  $("mapbox").dataset.ready = "true";
  await paint();
  const borders = await (await ask("api/v1/map/borders")).json();
  map.stroke("#coastline", borders.coastline);
  map.stroke("#provinces", borders.provinces);
}

// Only what was computed can be chosen: a choice that does not go with the others gives way to the nearest that does
function fit() {
  const held = meta.layers[$("risk").value];
  const enable = (id, able) => { for (const option of $(id).options) option.disabled = !able(option.value); };
  const settle = (id) => {
    if ($(id).selectedOptions[0]?.disabled === false) return;
    const free = [...$(id).options].find((option) => !option.disabled);
    if (free) $(id).value = free.value;
  };
  enable("quantity", (name) => Object.keys(held[name]).length > 0);
  settle("quantity");
  const layers = held[$("quantity").value];
  enable("scenario", (id) => Object.values(layers).some((ids) => ids.includes(Number(id))));
  settle("scenario");
  enable("period", (name) => layers[name]?.includes(Number($("scenario").value)) ?? false);
  if ($("period").selectedOptions[0]?.disabled && layers.mid_term) $("period").value = "mid_term";
  settle("period");
}

async function paint() {
  fit();
  forget();
  painting.abort(); // of the layer that nobody waits for any more
  painting = new AbortController();
  const ticket = ++painted, chosen = `${$("quantity").value}/${$("risk").value}?scenario_id=${$("scenario").value}&time_period=${$("period").value}`;
  $("message").textContent = "";
  legend();
  if (cell) describe();
  try {
    const picture = await (await ask(`api/v1/map/${chosen}`, { signal: painting.signal })).blob();
    const dots = meta.apart ? await dotsOf(picture) : null;
    if (ticket !== painted) return; // a later choice is on its way
    const before = map.layer.getAttribute("href");
    map.layer.setAttribute("href", URL.createObjectURL(picture));
    if (dots) map.points(dots);
    map.layer.dataset.layer = chosen;
    if (before) URL.revokeObjectURL(before);
  } catch (error) {
    if (ticket !== painted) return;
    map.layer.removeAttribute("href");
    map.places.replaceChildren();
    map.layer.dataset.layer = "";
    say(error);
  }
}

function say(error) {
  if (!(error instanceof Refused)) throw error;
  $("message").textContent = error.message;
}

function legend() {
  const scale = meta.scales[$("quantity").value];
  $("legend").replaceChildren();
  made($("legend"), "strong", scale.unit);
  const risk = $("risk").value, notes = [];
  if ($("quantity").value === "aal") {
    if (meta.notes[risk]) notes.push(meta.notes[risk]);
    if (meta.not_priced.includes(risk)) notes.push("Not priced: the edition has no damage rates for this risk");
    if (meta.uncalibrated.includes(risk)) notes.push("Ranks places, does not price them: not calibrated on losses");
  }
  if ($("quantity").value === "change" && meta.notes[risk]) notes.push(meta.notes[risk]);
  $("note").textContent = notes.map((note) => `${note}.`).join(" ");
  const rows = [...scale.labels.map((label, i) => [scale.colours[i], label]), [meta.no_value, notes.length && meta.not_priced.includes(risk) ? "not priced" : "too few data"]];
  for (const [colour, label] of rows) {
    const row = made($("legend"), "div");
    made(row, "i").style.background = colour;
    made(row, "span", label);
  }
  if ($("quantity").value === "change") hatching($("legend"), meta);
}

async function chosen(lat, lon) {
  [$("lat").value, $("lon").value] = [lat.toFixed(4), lon.toFixed(4)];
  forget();
  const ticket = ++asked;
  try {
    const found = await (await ask(`api/v1/cell?lat=${lat.toFixed(6)}&lon=${lon.toFixed(6)}`)).json();
    if (ticket !== asked) return; // a later place is on its way
    cell = found;
    if (cell.cell_basis === "nearest") map.mark(cell.latitude, cell.longitude); // the figures are of that cell
    describe();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (ticket !== asked) return;
    cell = null;
    $("figures").replaceChildren();
    const reach = 111.2 * meta.step * Math.hypot(1, Math.cos((lat * Math.PI) / 180)); // the diagonal of a cell, km
    tellPlace(meta.apart ? `${error.message}: no station within ${reach.toFixed(0)} km` : error.message);
  }
}

// Above the figures; on a narrow screen under the map, too, where the figures are out of sight
function tellPlace(text) {
  $("place").textContent = text;
  $("below").textContent = `${text} ↓`;
  $("below").hidden = false;
}

// The chosen risk in the chosen cell: bins, loss and hazard of the chosen scenario and period, then all of them as lines
async function describe() {
  const ticket = ++asked, { latitude, longitude, grid_id } = cell;
  const risk = $("risk").value, known = cell.risks[risk], box = document.createElement("div");
  const scenario = meta.scenarios.find((each) => String(each.scenario_id) === $("scenario").value);
  const period = meta.periods.find((each) => each.name === $("period").value);
  if (known) {
    const query = new URLSearchParams({ lat: latitude, lon: longitude, risk_type: risk, scenario_id: scenario.scenario_id, time_period: period.name });
    const found = async (what) => {
      try {
        return await (await ask(`api/v1/${what}?${query}`)).json();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return null; // not every cell has both
      }
    };
    const [p, h] = await Promise.all([found("probability"), found("hazard")]);
    if (ticket !== asked) return; // a later choice is on its way
    figures(box, risk, p, h, known.windows.find((each) => each.scenario_id === scenario.scenario_id && each.time_period === period.name));
    if (p) why(made(box, "div"), () => explained(query), () => ticket === asked);
    if (p) rare(made(box, "div"), risk, found("cell/return-levels"), ticket);
    windows(box, risk, known.windows, scenario);
  } else {
    made(box, "p", "No results for this risk.");
  }
  const away = cell.cell_basis === "nearest" ? `nearest cell with results, ${(cell.cell_distance_m / 1000).toFixed(1)} km away, ` : "";
  tellPlace(`Results for ${words(risk)} at ${place(latitude, longitude)} (${away}cell ${grid_id}), ${scenario.name}, ${period.first}–${period.last}`);
  $("figures").replaceChildren(box);
}

// The explanation of a figure, or the reason why there is none
async function explained(query) {
  try {
    return { told: await (await ask(`api/v1/explain?${query}`)).json() };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { reason: error.message };
  }
}

// Return levels are read of the climate itself: they come when the other figures are there already
async function rare(box, risk, answer, ticket) {
  made(box, "p", "Return levels…", { class: "note" });
  const told = await answer;
  if (ticket !== asked) return;
  box.replaceChildren();
  if (told) returnLevels(box, told, measure(risk));
}

// What the bins are in: the unit, or the index that has none; ranges of drought are of SPEI itself, not of its negative
function measure(risk) {
  const { intensity = "", unit = "" } = meta.measures[risk] ?? {};
  return unit === "1" ? intensity.replace("minus_", "").toUpperCase() : unit;
}

function figures(box, risk, p, h, window) {
  const list = made(box, "dl");
  const item = (name, value) => { made(list, "dt", name); made(list, "dd", value); };
  if (p) {
    const year = meta.aal_years[risk]?.[$("period").value];
    item(year ? `Average annual loss ${year.includes("-") ? "over" : "of"} ${year}` : "Average annual loss", lossInWords(p));
    const change = changeInWords(window);
    if (change) item("Change", change);
    if (p.ensemble?.sentence) item("Several climate models", models(p.ensemble));
    item("Estimated by", `${METHODS[p.method] ?? words(p.method)}, ${p.n_samples} samples`);
  }
  if (h) {
    item("Hazard level", `${level(h.hazard_level)}, score ${h.hazard_score_100.toFixed(1)} of 100`);
    if (h.percentile !== null) item("Hazard percentile", `${h.percentile.toFixed(0)} of 100, among all cells`);
  }
  if (p && meta.notes[risk]) made(box, "p", `${meta.notes[risk]}.`, { class: "note" });
  if (!p?.bin_data) return;
  made(box, "h3", "Probability and damage of each bin");
  const colours = meta.scales.aal.colours, last = Math.max(p.bin_data.length - 1, 1);
  bars(box, p.bin_data, p.bin_data.map((_, i) => colours[Math.round((i * (colours.length - 1)) / last)]), measure(risk));
  lossSteps(box, p.loss_steps);
}

// The AAL over several climate models, their range, and whether they agree on the sign of the change
function models(told) {
  const range = `, models from ${percent(told.aal_p10)} to ${percent(told.aal_p90)}`;
  if (told.agreement === null) return `${told.sentence}${range}`;
  const share = `${Math.round(100 * told.agreement)} % agree on the sign of the change`;
  return `${told.sentence}${range}; ${told.models_disagree ? `models disagree: ${share}` : share}`;
}

// What the AAL of a risk is of: the years of the period, or the year on which a trend sets it
const aalYears = (risk, period) => meta.aal_years[risk]?.[period.name].replace("-", "–") ?? `${period.first}–${period.last}`;

function windows(box, risk, known, scenario) {
  const periods = meta.periods.filter((each) => each.name !== "full");
  const years = periods.map((each) => `${each.first}–${each.last}`), ofLoss = periods.map((each) => aalYears(risk, each));
  const values = (id, field) => periods.map((each) => known.find((w) => w.scenario_id === id && w.time_period === each.name)?.[field] ?? null);
  const series = (field, ends) => meta.scenarios.map(({ scenario_id, name }) => ({
    name, values: values(scenario_id, field), ends: ends && ends.map((end) => values(scenario_id, end)), chosen: scenario_id === scenario.scenario_id,
  }));
  if (!periods.length) return;
  for (const [title, field, format, top, ends] of [
    ["Average annual loss, % of value", "aal", percent, null, ["aal_low", "aal_high"]],
    ["Hazard score, 0 to 100", "hazard_score", (v) => (100 * v).toFixed(0), 1],
    ["Percentile of the hazard among all cells", "percentile", (v) => v.toFixed(0), 100],
  ]) {
    made(box, "h3", title);
    lines(box, title, field === "aal" ? ofLoss : years, series(field, ends), format, top);
  }
  made(box, "p", "Band: 90 % interval of the chosen scenario. Each window has few years: the line Change above says what is more than noise. Damage rates that are wrong move all lines together.", { class: "note" });
}

// "50,000,000,000" is a number, too; what is none goes out as it was written, so that it is refused by name
function number(id) {
  const text = $(id).value.trim(), plain = /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text;
  return text === "" ? undefined : Number.isFinite(Number(plain)) ? Number(plain) : text;
}

function request() {
  const body = {
    latitude: number("lat"),
    longitude: number("lon"),
    scenario_ids: [Number($("scenario").value)],
    time_periods: [$("period").value],
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
const subject = () => JSON.stringify([number("lat"), number("lon"), $("scenario").value, $("period").value]);

// An assessment of another place, scenario or period than the chosen is shown no more, nor waited for
function forget() {
  if (assessed === null || assessed === subject()) return;
  assessed = null;
  sent += 1;
  $("outcome").replaceChildren();
  $("step").textContent = "";
  $("progress").hidden = true;
}

async function assess(event) {
  event.preventDefault();
  assessed = subject();
  const ticket = ++sent, isOurs = () => ticket === sent; // until the next is sent
  const tell = (text) => { if (isOurs()) $("step").textContent = text; };
  $("outcome").replaceChildren();
  if ($("lat").value === "" || $("lon").value === "") return tell("Choose a place first: click the map or type a coordinate.");
  $("progress").hidden = false;
  $("progress").value = 0;
  tell("Sending");
  try {
    const answer = await ask("api/v1/risk-assessment/calculate", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request()),
    });
    const { request_id } = await answer.json();
    if (isOurs()) follow(request_id, tell, isOurs);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
  }
}

function follow(id, tell, isOurs) {
  const key = sessionStorage.getItem("key");
  const safe = key && btoa(String.fromCharCode(...new TextEncoder().encode(key))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const address = new URL(`api/v1/risk-assessment/ws/${id}`, BASE.replace(/^http/, "ws"));
  const socket = new WebSocket(address, key ? [`key.${safe}`] : []);
  let ended = false;
  socket.onmessage = ({ data }) => {
    if (!isOurs()) return socket.close();
    const state = JSON.parse(data);
    if (state.progress !== undefined) $("progress").value = state.progress;
    ended = !["queued", "running"].includes(state.status);
    tell(state.step ?? state.error_message ?? state.error ?? state.status);
    if (state.status === "completed") outcome(state.results);
  };
  socket.onclose = () => {
    if (!ended && isOurs()) setTimeout(() => follow(id, tell, isOurs), 2000); // the job goes on without us
  };
}

function outcome(results) {
  const box = $("outcome"), pair = results.scenarios[0], whole = pair.integrated_risk, building = results.building;
  const missing = (value) => value === null || value === undefined;
  const money = (value) => (missing(value) ? "–" : value.toLocaleString("en"));
  const figure = (value, digits) => (missing(value) ? "–" : value.toFixed(digits));
  const scored = results.risk_types.filter((risk) => !missing(whole.risk_breakdown[risk].risk_score));
  const of = (count) => (count < results.risk_types.length ? `${count} of ${results.risk_types.length} risks` : "all risks");
  const priced = results.risk_types.length - pair.aal.risks_without_loss.length;
  const loss = missing(pair.aal.total_expected_loss) ? "No expected loss: it needs an asset value"
    : `Over ${of(priced)}: expected loss ${siteLossInWords(pair.aal)}`;
  box.replaceChildren();
  // of the chosen: one of anything else is not ours any more
  const scenario = meta.scenarios.find((each) => String(each.scenario_id) === $("scenario").value);
  const period = meta.periods.find((each) => each.name === $("period").value);
  made(box, "h3", `${place(results.latitude, results.longitude)}, ${scenario.name}, ${period.first}–${period.last}`);
  made(box, "p", `${loss}.`, { class: "loss" });
  siteCurve(box, pair.year_losses, results.year_losses_note);
  made(box, "p", `Risk index ${figure(whole.mean_risk_index, 1)} of 100, ${level(whole.risk_level)}: mean of ${of(scored.length)}, whatever the asset is worth.`);
  const filled = building.imputed_fields.length ? `, assumed: ${building.imputed_fields.map(words).join(", ")}` : "";
  const source = { caller: "this form", database: "the register" }[building.building_source] ?? "defaults";
  const away = results.cell_basis === "nearest" ? ` The site's own cell has no results: those of the nearest are taken, ${(results.cell_distance_m / 1000).toFixed(1)} km away.` : "";
  made(box, "p", `Building from ${source}${filled}.${away}`);
  const table = made(box, "table"), head = made(made(table, "thead"), "tr"), rows = made(table, "tbody");
  const headings = ["Risk", "AAL", "90 % interval", "Loss, KRW a year", "90 % interval", "Calibrated on losses", "Hazard level", "Risk level", "Risk index 0–100", "Hazard 0–1", "Exposure 0–1", "Vulnerability 0–100", "Value-weighted score 0–100"];
  for (const name of headings) made(head, "th", name, { scope: "col" });
  const reasons = new Map();
  for (const risk of results.risk_types) {
    const part = whole.risk_breakdown[risk], aal = pair.aal.risks[risk], row = made(rows, "tr");
    made(row, "th", words(risk), { scope: "row" });
    const lost = aal?.reason === "not_priced" ? ["not priced", "–", "–"] : missing(aal?.expected_loss) ? ["–", "–", "–"] : [money(aal.expected_loss), ends(aal.expected_loss_low, aal.expected_loss_high, money), aal.calibrated ? "yes" : "no, index"];
    const levels = [part.hazard_level ? level(part.hazard_level) : "–", level(part.risk_level)];
    const figures = [figure(part.risk_index, 1), figure(part.hazard, 2), figure(part.exposure, 2), figure(part.vulnerability, 0), figure(part.risk_score, 2)];
    for (const text of [missing(aal?.final_aal) ? "–" : percent(aal.final_aal), ends(aal?.final_aal_low, aal?.final_aal_high, percent), ...lost, ...levels, ...figures]) made(row, "td", text);
    for (const reason of new Set([part.reason, aal?.reason])) if (reason) reasons.set(reason, [...(reasons.get(reason) ?? []), words(risk)]);
  }
  const value = 100 * results.exposure[results.risk_types[0]].normalized_asset_value;
  made(box, "p", `Value-weighted score of the site ${figure(whole.total_risk_score, 2)} of 100: the asset counts ${+value.toPrecision(3)} % of the reference value.`, { class: "note" });
  for (const [risk, note] of Object.entries(results.notes)) made(box, "p", `AAL of ${words(risk)}: ${note.charAt(0).toLowerCase()}${note.slice(1)}.`, { class: "note" });
  for (const [reason, risks] of reasons) made(box, "p", `${risks.join(", ")}: ${words(reason).replace(":", " ")}`, { class: "note" });
}

for (const id of ["risk", "quantity", "scenario", "period"]) $(id).addEventListener("change", paint);
$("goto").addEventListener("submit", (event) => {
  event.preventDefault();
  const [lat, lon] = [Number($("lat").value), Number($("lon").value)];
  if (Number.isFinite(lat) && Number.isFinite(lon)) map.choose(lat, lon);
  else tellPlace("A coordinate is two numbers, such as 37.5665 and 126.978.");
});
$("known").addEventListener("change", () => { $("building").hidden = $("building").disabled = !$("known").checked; });
for (const id of ["lat", "lon"]) $(id).addEventListener("input", forget);
$("site").addEventListener("submit", assess);
$("keyform").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  location.reload();
});
$("in").addEventListener("click", () => map.zoom(0.7));
$("out").addEventListener("click", () => map.zoom(1.4));
$("whole").addEventListener("click", () => map.whole());
start().catch((error) => {
  if (!(error instanceof Refused)) throw error;
  $("run").textContent = error.message;
});
