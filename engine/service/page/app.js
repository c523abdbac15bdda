// Choosing layers and places of the map. Everything comes from /api of the same server.

import { Refused, ask } from "./ask.js";
import { describe, place, scenarioName, tellPlace, years } from "./cell.js";
import { $, capital, made, mixed, say } from "./dom.js";
import { Labels } from "./labels.js";
import { legend } from "./legend.js";
import { NationalMap, dotsOf } from "./map.js";
import { startSaving } from "./save.js";
import { startSearch } from "./search.js";
import { forget, request, startForm } from "./site.js";
import { CHOICES, address, read, write } from "./state.js";
import { edition } from "./sure.js";
import { english, named, risk as named_risk, switcher, t, translate } from "./texts.js";
import { startWhatIf } from "./whatif/site.js";
import { columns, indexOf, ownBreaks, painted as paintedOwn, spread, valuesOf, written } from "./values.js";

let meta = null, cell = null, at = null, painted = 0, asked = 0, pointed = 0, painting = new AbortController();
let labels = null, defaults = {}; // of the choices that an address leaves open
translate();
const map = new NationalMap($("map"), { onChosen: choose, onPointed: point, onMoved: () => write(shown(), false), onShown: () => labels?.show() });

const scenario = () => meta.scenarios.find((each) => String(each.scenario_id) === $("scenario").value);
const period = () => meta.periods.find((each) => each.name === $("period").value);
const chosen = () => ({ meta, risk: $("risk").value, quantity: $("quantity").value, scenario: scenario(), period: period() });
const choices = () => Object.fromEntries(CHOICES.map((id) => [id, $(id).value]));
const shown = () => ({ ...choices(), at, view: map.looked() });

async function start() {
  meta = await (await ask("api/v1/map")).json();
  const { run_id: run, edition: of, baseline } = meta;
  say($("run"), t("run", { run, edition: of, baseline, published: meta.published_at.slice(0, 10) }));
  edition(meta);
  warn();
  for (const risk of meta.risks) made($("risk"), "option", capital(named_risk(risk)), { value: risk });
  for (const [risk, why] of Object.entries(meta.absent)) {
    made($("risk"), "option", t("risk.not_computed", { risk: capital(named_risk(risk)) }), { value: risk, disabled: "", title: why });
  }
  for (const each of meta.scenarios) made($("scenario"), "option", scenarioName(meta, each), { value: each.scenario_id });
  for (const each of meta.periods) made($("period"), "option", `${years(each)}, ${named("period", each.name)}`, { value: each.name });
  const absent = Object.entries(meta.absent);
  if (absent.length) {
    const parts = absent.flatMap(([risk, why], i) => [`${i ? "; " : ""}${named_risk(risk)}: `, { english: why }]);
    mixed($("absent"), "span", [`${t("absent")}: `, ...parts, "."]);
  }
  if (meta.scenarios.some((each) => each.scenario_id === 2)) $("scenario").value = 2;
  if (!meta.risks.length) {
    say($("run"), t("no_results"));
    return;
  }
  const isPriced = (risk) => !meta.not_priced.includes(risk) && Object.keys(meta.layers[risk].aal).length > 0;
  $("risk").value = meta.risks.find(isPriced) ?? meta.risks[0];
  // losses that are calibrated are small: all of them lie in the mildest class of the scale of all layers
  if (meta.risks.some((risk) => isPriced(risk) && !meta.uncalibrated.includes(risk))) $("scale").value = "own";
  map.place(meta);
  $("mapbox").dataset.ready = "true";
  defaults = choices();
  await restore();
  addEventListener("popstate", restore);
  const borders = await (await ask("api/v1/map/borders")).json();
  map.stroke("#coastline", borders.coastline);
  map.stroke("#provinces", borders.provinces);
  labels = new Labels(map, await (await ask("api/v1/map/labels")).json());
  labels.show();
}

// What the data are of, where they are not those of the whole country
function warn() {
  const [kind, cells] = meta.scope.split(":");
  $("warning").hidden = kind === "full";
  if (kind === "sample") say($("warning"), cells ? t("scope.sample", { cells }) : t("scope.some"));
  else if (kind === "observed" && meta.figures_of) {
    $("warning").replaceChildren();
    mixed($("warning"), "span", [{ english: capital(meta.figures_of) }, `: ${t("scope.measured")}`]);
  } else if (["synthetic", "observed"].includes(kind)) say($("warning"), t(`scope.${kind}`));
  else if (kind !== "full") say($("warning"), t("scope.other", { scope: meta.scope }));
}

// What the address says is chosen, its place and its view; says what of it is not there
async function restore() {
  const wanted = { ...defaults, ...read() };
  for (const id of CHOICES) $(id).value = [...$(id).options].some((option) => option.value === wanted[id]) ? wanted[id] : defaults[id];
  if (wanted.view) map.look(...wanted.view);
  else map.whole();
  leave();
  const painted = paint(); // its choices are settled at once
  const missed = CHOICES.filter((id) => $(id).value !== wanted[id]).map((id) => `${t(`choose.${id}`)} ${wanted[id]}`);
  if ("at" in wanted && !wanted.at) missed.push(t("state.at"));
  if ("view" in wanted && !wanted.view) missed.push(t("state.view"));
  if (missed.length) say($("message"), t("state.missed", { missed: missed.join(", ") }));
  if (wanted.at) {
    map.mark(...wanted.at);
    choose(...wanted.at, false);
  }
  await painted;
}

// No cell is chosen
function leave() {
  asked += 1;
  cell = at = null;
  map.unmark();
  [$("lat").value, $("lon").value] = ["", ""];
  tellPlace(t("cell.choose"));
  $("below").hidden = true;
  $("figures").replaceChildren();
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
  enable("scale", (name) => name === "all" || $("quantity").value !== "change"); // hatched by the server
  settle("scale");
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
  const ticket = ++painted, layer = layerAddress(), isOwn = $("scale").value === "own";
  say($("message"), "");
  point(null, null);
  if (!isOwn) legend(chosen());
  if (cell) show();
  try {
    const own = isOwn ? await ownScale(layer) : null;
    const picture = own ? own.picture : await (await ask(`api/v1/map/${layer}`, { signal: painting.signal })).blob();
    const dots = meta.apart ? await dotsOf(picture) : null;
    if (ticket !== painted) return; // a later choice is on its way
    if (own) legend(chosen(), own);
    const before = map.layer.getAttribute("href");
    map.picture = picture;
    map.layer.setAttribute("href", URL.createObjectURL(picture));
    if (dots) map.points(dots);
    map.layer.dataset.layer = layer;
    map.layer.dataset.scale = $("scale").value;
    if (before) URL.revokeObjectURL(before);
  } catch (error) {
    if (ticket !== painted) return;
    map.layer.removeAttribute("href");
    map.places.replaceChildren();
    map.layer.dataset.layer = "";
    if (!(error instanceof Refused)) throw error;
    say($("message"), error.message, true);
  }
}

const layerAddress = () => `${$("quantity").value}/${$("risk").value}?scenario_id=${$("scenario").value}&time_period=${$("period").value}`;

// Classes over the values of a layer alone, and its picture in them
async function ownScale(layer) {
  const values = await valuesOf(layer), breaks = ownBreaks(values), colours = spread(meta.scales.aal.colours, breaks.length + 1);
  return { breaks, colours, picture: await paintedOwn(values, columns(meta), breaks, colours, meta.no_value) };
}

// The value of the cell under the pointer, or under the marker that the keys move
async function point(lat, lon) {
  const ticket = ++pointed;
  if (lat === null) return say($("pointed"), "");
  const layer = map.layer.dataset.layer, quantity = $("quantity").value, at = indexOf(meta, lat, lon);
  if (!layer || at < 0) return say($("pointed"), "");
  const value = (await valuesOf(layer).catch((error) => { if (error instanceof Refused) return []; throw error; }))[at];
  if (ticket !== pointed || layer !== map.layer.dataset.layer) return; // it has moved on
  if (value === undefined || value === -Infinity) return say($("pointed"), "");
  const told = Number.isNaN(value) ? t("legend.too_few") : t(`value.${quantity}`, { value: written(quantity, value) });
  say($("pointed"), `${place(...map.middle(lat, lon))}: ${told}`);
}

function show() {
  const ticket = ++asked;
  return describe(cell, chosen(), () => ticket === asked);
}

async function choose(lat, lon, isStep = true) {
  at = [+lat.toFixed(6), +lon.toFixed(6)];
  if (isStep) write(shown(), true);
  [$("lat").value, $("lon").value] = [lat.toFixed(4), lon.toFixed(4)];
  forget();
  const ticket = ++asked;
  try {
    const found = await (await ask(`api/v1/cell?lat=${lat.toFixed(6)}&lon=${lon.toFixed(6)}`)).json();
    if (ticket !== asked) return; // a later place is on its way
    cell = found;
    if (cell.cell_basis === "nearest") map.mark(cell.latitude, cell.longitude); // the figures are of that cell
    await show();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (ticket !== asked) return;
    cell = null;
    $("figures").replaceChildren();
    const reach = 111.2 * meta.step * Math.hypot(1, Math.cos((lat * Math.PI) / 180)); // the diagonal of a cell, km
    tellPlace(error.message, english);
    if (meta.apart) for (const id of ["place", "below"]) $(id).firstChild.after(`: ${t("cell.no_station", { km: reach.toFixed(0) })}`);
  }
}

for (const id of CHOICES) {
  $(id).addEventListener("change", () => {
    const painted = paint();
    write(shown(), true);
    return painted;
  });
}
$("goto").addEventListener("submit", (event) => {
  event.preventDefault();
  const [lat, lon] = [Number($("lat").value), Number($("lon").value)];
  if (Number.isFinite(lat) && Number.isFinite(lon)) map.choose(lat, lon);
  else tellPlace(t("goto.numbers"));
});
$("keyform").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  location.reload();
});
$("in").addEventListener("click", () => map.zoom(0.7));
$("out").addEventListener("click", () => map.zoom(1.4));
$("whole").addEventListener("click", () => map.whole());
startSaving(() => ({ ...chosen(), layer: layerAddress(), map, shown: map.layer.dataset.layer }));
startForm(chosen);
startWhatIf({ request, map: () => map, meta: () => meta });
startSearch(({ lat, lon, zoom }) => {
  if (zoom) map.look(lat, lon, zoom);
  map.choose(lat, lon);
});
switcher($("languages"), () => (meta?.risks.length ? address(shown()) : new URL(location.href)));
start().catch((error) => {
  if (!(error instanceof Refused)) throw error;
  say($("run"), error.message, true);
});
