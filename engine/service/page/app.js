// Choosing layers, showing cells, assessing a site. Everything comes from /api of the same server.

import { bars, lines } from "./charts.js";
import { NationalMap } from "./map.js";

const $ = (id) => document.getElementById(id);
const words = (name) => name.replaceAll("_", " ");
const percent = (ratio) => `${+(100 * ratio).toPrecision(3)} %`;
const map = new NationalMap($("map"), chosen);
let meta = null, cell = null, painted = 0;

class Refused extends Error {}

async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...options.headers, ...(key ? { "X-API-Key": key } : {}) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  if (answer.status === 401) $("keybox").open = true;
  const { detail } = await answer.json().catch(() => ({ detail: answer.statusText }));
  throw new Refused(Array.isArray(detail) ? detail.map((fault) => fault.msg).join("; ") : detail);
}

function made(parent, tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

async function start() {
  meta = await (await ask("/api/v1/map")).json();
  const warning = { synthetic: " — synthetic data, not a statement about any place" }[meta.scope] ?? (meta.scope === "full" ? "" : ` — data of scope ${meta.scope}`);
  $("run").textContent = `Run ${meta.run_id}, edition ${meta.edition}, baseline ${meta.baseline}, ${meta.published_at.slice(0, 10)}${warning}`;
  for (const risk of meta.risks) made($("risk"), "option", words(risk), { value: risk });
  for (const each of meta.scenarios) made($("scenario"), "option", each.name, { value: each.scenario_id });
  $("scenario").value = 2;
  for (const each of meta.periods) made($("period"), "option", `${words(each.name)} ${each.first}–${each.last}`, { value: each.name });
  map.place(meta);
  $("mapbox").dataset.ready = "true";
  await paint();
  const borders = await (await ask("/api/v1/map/borders")).json();
  map.stroke("#coastline", borders.coastline);
  map.stroke("#provinces", borders.provinces);
}

async function paint() {
  const other = $("scenario").value !== "2";
  const full = [...$("period").options].find((option) => option.value === "full");
  full.disabled = other;
  if (other && $("period").value === "full") $("period").value = "mid_term";
  const ticket = ++painted, chosen = `${$("quantity").value}/${$("risk").value}?scenario_id=${$("scenario").value}&time_period=${$("period").value}`;
  $("message").textContent = "";
  legend();
  if (cell) describe();
  try {
    const picture = await (await ask(`/api/v1/map/${chosen}`)).blob();
    if (ticket !== painted) return; // a later choice is on its way
    const before = map.layer.getAttribute("href");
    map.layer.setAttribute("href", URL.createObjectURL(picture));
    map.layer.dataset.layer = chosen;
    if (before) URL.revokeObjectURL(before);
  } catch (error) {
    if (ticket !== painted) return;
    map.layer.removeAttribute("href");
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
  const rows = [...scale.labels.map((label, i) => [scale.colours[i], label]), [meta.no_value, "too few data"]];
  for (const [colour, label] of rows) {
    const row = made($("legend"), "div");
    made(row, "i").style.background = colour;
    made(row, "span", label);
  }
}

async function chosen(lat, lon) {
  [$("lat").value, $("lon").value] = [lat.toFixed(4), lon.toFixed(4)];
  try {
    cell = await (await ask(`/api/v1/cell?lat=${lat.toFixed(6)}&lon=${lon.toFixed(6)}`)).json();
    describe();
  } catch (error) {
    cell = null;
    $("figures").replaceChildren();
    if (!(error instanceof Refused)) throw error;
    $("place").textContent = error.message;
  }
}

function describe() {
  const risk = $("risk").value, known = cell.risks[risk], box = $("figures");
  $("place").textContent = `${words(risk)} at ${cell.latitude} N, ${cell.longitude} E (cell ${cell.grid_id})`;
  box.replaceChildren();
  if (!known) {
    made(box, "p", "No results for this risk.");
    return;
  }
  const list = made(box, "dl"), p = known.probability, h = known.hazard;
  const item = (name, value) => { made(list, "dt", name); made(list, "dd", value); };
  const window = known.windows.find((each) => String(each.scenario_id) === $("scenario").value && each.time_period === $("period").value);
  if (p) item("AAL, SSP2-4.5, 2021–2100", p.aal === null ? "too few data" : `${percent(p.aal)} ± ${percent(p.aal_se ?? 0)} (standard error), ${p.method}, ${p.n_samples} samples`);
  if (h) item("Hazard, SSP2-4.5, 2021–2100", `${h.hazard_score_100.toFixed(1)} of 100, ${h.hazard_level.toLowerCase()}`);
  if (window) {
    item(`AAL, ${window.scenario}, ${words(window.time_period)}`, window.aal === null ? "too few data" : `${percent(window.aal)} ± ${percent(window.aal_se ?? 0)}`);
    if (window.hazard_score !== null) item("Hazard", `${(100 * window.hazard_score).toFixed(1)} of 100`);
    if (window.percentile !== null) item("Percentile among all cells", window.percentile.toFixed(0));
  }
  if (p?.bin_data) {
    made(box, "h3", "Probability of a year in each bin");
    const colours = meta.scales.aal.colours, last = p.bin_data.length - 1;
    bars(box, p.bin_data, p.bin_data.map((_, i) => colours[Math.round((i * (colours.length - 1)) / last)]));
  }
  const periods = meta.periods.filter((each) => each.name !== "full");
  const labels = periods.map((each) => `${each.first}–${each.last}`);
  const series = (field) => meta.scenarios.map(({ scenario_id, name }) => ({
    name,
    values: periods.map((each) => known.windows.find((w) => w.scenario_id === scenario_id && w.time_period === each.name)?.[field] ?? null),
  }));
  for (const [title, field, format] of [["Average annual loss", "aal", percent], ["Hazard score", "hazard_score", (v) => (100 * v).toFixed(0)], ["Percentile", "percentile", (v) => v.toFixed(0)]]) {
    made(box, "h3", title);
    lines(box, title, labels, series(field), format);
  }
}

function request() {
  const number = (id) => ($(id).value.trim() === "" ? undefined : Number($(id).value));
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

async function assess(event) {
  event.preventDefault();
  const tell = (text) => { $("step").textContent = text; };
  $("outcome").replaceChildren();
  if ($("lat").value === "" || $("lon").value === "") return tell("Choose a place first: click the map or type a coordinate.");
  $("progress").hidden = false;
  $("progress").value = 0;
  tell("Sending");
  try {
    const answer = await ask("/api/v1/risk-assessment/calculate", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request()),
    });
    follow((await answer.json()).request_id, tell);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
  }
}

function follow(id, tell) {
  const key = sessionStorage.getItem("key");
  const safe = key && btoa(String.fromCharCode(...new TextEncoder().encode(key))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const address = new URL(`/api/v1/risk-assessment/ws/${id}`, location.href.replace(/^http/, "ws"));
  const socket = new WebSocket(address, key ? [`key.${safe}`] : []);
  let ended = false;
  socket.onmessage = ({ data }) => {
    const state = JSON.parse(data);
    if (state.progress !== undefined) $("progress").value = state.progress;
    ended = !["queued", "running"].includes(state.status);
    tell(state.step ?? state.error_message ?? state.error ?? state.status);
    if (state.status === "completed") outcome(state.results);
  };
  socket.onclose = () => {
    if (!ended) setTimeout(() => follow(id, tell), 2000); // the job goes on without us
  };
}

function outcome(results) {
  const box = $("outcome"), pair = results.scenarios[0], whole = pair.integrated_risk;
  const score = whole.total_risk_score === null ? "none" : whole.total_risk_score.toFixed(2);
  const loss = pair.aal.total_expected_loss;
  made(box, "p", `Total risk ${score} of 100 (${words(whole.risk_level)})${loss === null ? "" : `, expected loss ${loss.toLocaleString("en")} KRW a year`}`);
  const table = made(box, "table"), head = made(made(table, "thead"), "tr"), rows = made(table, "tbody");
  for (const name of ["Risk", "H", "E", "V", "Score", "AAL"]) made(head, "th", name, { scope: "col" });
  const figure = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  for (const risk of results.risk_types) {
    const part = whole.risk_breakdown[risk], aal = pair.aal.risks[risk], row = made(rows, "tr");
    made(row, "th", words(risk), { scope: "row" });
    const cells = [figure(part.hazard, 2), figure(part.exposure, 2), figure(part.vulnerability, 0), figure(part.risk_score, 1), aal?.final_aal === null || !aal ? "–" : percent(aal.final_aal)];
    for (const text of cells) made(row, "td", text);
    if (part.reason) row.title = part.reason;
  }
}

for (const id of ["risk", "quantity", "scenario", "period"]) $(id).addEventListener("change", paint);
$("goto").addEventListener("submit", (event) => {
  event.preventDefault();
  const [lat, lon] = [Number($("lat").value), Number($("lon").value)];
  if (Number.isFinite(lat) && Number.isFinite(lon)) map.choose(lat, lon);
  else $("place").textContent = "A coordinate is two numbers, such as 37.5665 and 126.978.";
});
$("known").addEventListener("change", () => { $("building").hidden = $("building").disabled = !$("known").checked; });
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
