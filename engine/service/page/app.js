// Choosing layers and places of the map. Everything comes from /api of the same server.

import { Refused, ask } from "./ask.js";
import { describe, scenarioName, tellPlace, years } from "./cell.js";
import { $, capital, made, mixed, say } from "./dom.js";
import { Labels } from "./labels.js";
import { Panel } from "./panel.js";
import { startSearch } from "./search.js";
import { forget, request, startForm } from "./site.js";
import { CHOICES, address, read, write } from "./state.js";
import { edition } from "./sure.js";
import { english, named, risk as named_risk, switcher, t, translate } from "./texts.js";
import { twin } from "./twin.js";
import { startWhatIf } from "./whatif/site.js";

let meta = null, cell = null, at = null, asked = 0, defaults = {}; // defaults: of the choices that an address leaves open
let first = null, second = null, isTwo = false, lines = null, names = null;
const labels = new Map(); // of the panels
translate();

const panels = () => (isTwo ? [first, second] : [first].filter(Boolean));
const maps = () => panels().map((panel) => panel.map);
const chosen = () => first.chosen();
const suffixed = (state, suffix) => Object.fromEntries(Object.entries(state).map(([id, value]) => [id + suffix, value]));
const shown = () => ({ ...first.choices(), ...(isTwo ? suffixed(second.choices(), second.suffix) : {}), at, view: first.map.looked() });

// Both maps show one view, one place and one pointer, each its own layer
const together = {
  chosen: (lat, lon) => choose(lat, lon),
  moved: () => write(shown(), false),
  shown: (panel) => {
    if (!panels().includes(panel)) return; // it is being made
    for (const map of maps()) if (map !== panel.map) map.follow(panel.map.view);
    for (const each of panels()) labels.get(each)?.show();
  },
  pointed: (lat, lon) => { for (const panel of panels()) panel.point(lat, lon); },
  beside: (panel) => (isTwo && panel === second ? first : null),
  changed: (panel) => {
    const painted = paint([panel]);
    write(shown(), true);
    return painted;
  },
};
// of a panel: the other one shows where the pointer is
const eventsOf = (index) => ({
  ...together,
  pointed: (lat, lon) => {
    together.pointed(lat, lon);
    if (isTwo) panels()[1 - index].map.hint(lat, lon);
  },
});

async function start() {
  meta = await (await ask("api/v1/map")).json();
  const { run_id: run, edition: of, baseline } = meta;
  say($("run"), t("run", { run, edition: of, baseline, published: meta.published_at.slice(0, 10) }));
  edition(meta);
  warn();
  fill();
  if (!meta.risks.length) {
    say($("run"), t("no_results"));
    return;
  }
  first = new Panel("", meta, eventsOf(0));
  $("mapbox").dataset.ready = "true";
  defaults = Object.fromEntries(CHOICES.map((id) => [id, $(id).value]));
  await restore();
  addEventListener("popstate", restore);
  lines = await (await ask("api/v1/map/borders")).json();
  for (const panel of panels()) stroke(panel);
  names = await (await ask("api/v1/map/labels")).json();
  for (const panel of panels()) label(panel);
}

// What can be chosen, and what is at first
function fill() {
  for (const risk of meta.risks) made($("risk"), "option", capital(named_risk(risk)), { value: risk });
  for (const [risk, why] of Object.entries(meta.absent)) {
    made($("risk"), "option", t("risk.not_computed", { risk: capital(named_risk(risk)) }), { value: risk, disabled: "", title: why });
  }
  for (const id of ["scenario", "than_scenario"]) {
    for (const each of meta.scenarios) made($(id), "option", scenarioName(meta, each), { value: each.scenario_id });
  }
  for (const id of ["period", "than_period"]) {
    for (const each of meta.periods) made($(id), "option", `${years(each)}, ${named("period", each.name)}`, { value: each.name });
  }
  const absent = Object.entries(meta.absent);
  if (absent.length) {
    const parts = absent.flatMap(([risk, why], i) => [`${i ? "; " : ""}${named_risk(risk)}: `, { english: why }]);
    mixed($("absent"), "span", [`${t("absent")}: `, ...parts, "."]);
  }
  if (!meta.risks.length) return;
  if (meta.scenarios.some((each) => each.scenario_id === 2)) $("scenario").value = 2;
  if (meta.scenarios.length > 1) $("than_scenario").value = meta.scenarios[0].scenario_id;
  const isPriced = (risk) => !meta.not_priced.includes(risk) && Object.keys(meta.layers[risk].aal).length > 0;
  $("risk").value = meta.risks.find(isPriced) ?? meta.risks[0];
  // losses that are calibrated are small: all of them lie in the mildest class of the scale of all layers
  if (meta.risks.some((risk) => isPriced(risk) && !meta.uncalibrated.includes(risk))) $("scale").value = "own";
}

function stroke({ map }) {
  map.stroke("#land", lines.land);
  map.stroke("#coastline", lines.coastline);
  map.stroke("#provinces", lines.provinces);
}

function label(panel) {
  labels.set(panel, new Labels(panel.map, names));
  labels.get(panel).show();
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

// One map, or two in step; the second begins with what the first shows
function show(two) {
  if (two && !second) {
    const suffix = twin($("choices2"), $("second"));
    second = new Panel(suffix, meta, eventsOf(1));
    if (lines) stroke(second);
    if (names) label(second);
  }
  isTwo = two;
  for (const id of ["choices2", "second"]) $(id).hidden = !two;
  $("maps").classList.toggle("two", two);
  $("two").setAttribute("aria-expanded", two);
  say($("two"), t(two ? "second.close" : "second.open"));
  if (!two) return first.map.hint(null, null);
  second.map.follow(first.map.view);
  if (at) second.map.mark(...at);
  for (const panel of panels()) labels.get(panel)?.show();
}

// What the address says is chosen, its place and its view; says what of it is not there
async function restore() {
  const told = read(), wanted = { ...defaults, ...told };
  show("risk2" in told);
  for (const panel of panels()) {
    panel.set(defaults);
    panel.set(Object.fromEntries(CHOICES.map((id) => [id, wanted[id + panel.suffix] ?? defaults[id]])));
  }
  if (wanted.view) first.map.look(...wanted.view);
  else first.map.whole();
  leave();
  const painted = paint(panels()); // its choices are settled at once
  const isMissed = (panel, id) => id + panel.suffix in told && panel.choices()[id] !== told[id + panel.suffix];
  const missed = panels().flatMap((panel) => CHOICES.filter((id) => isMissed(panel, id)).map((id) => `${t(`choose.${id}`)} ${told[id + panel.suffix]}`));
  if ("at" in wanted && !wanted.at) missed.push(t("state.at"));
  if ("view" in wanted && !wanted.view) missed.push(t("state.view"));
  if (missed.length) say($("message"), t("state.missed", { missed: missed.join(", ") }));
  if (wanted.at) {
    for (const map of maps()) map.mark(...wanted.at);
    choose(...wanted.at, false);
  }
  await painted;
}

// No cell is chosen
function leave() {
  asked += 1;
  cell = at = null;
  for (const map of maps()) map.unmark();
  [$("lat").value, $("lon").value] = ["", ""];
  tellPlace(t("cell.choose"));
  $("below").hidden = true;
  $("figures").replaceChildren();
}

// The cell and the form are of the first map
function paint(changed) {
  const painted = changed.map((panel) => panel.paint());
  if (changed.includes(first)) {
    if (isTwo && !second.lent) second.tellCaption();
    forget();
    if (cell) tell();
  }
  return Promise.all(painted);
}

function tell() {
  const ticket = ++asked;
  return describe(cell, chosen(), () => ticket === asked);
}

async function choose(lat, lon, isStep = true) {
  at = [+lat.toFixed(6), +lon.toFixed(6)];
  for (const map of maps()) map.mark(lat, lon);
  if (isStep) write(shown(), true);
  [$("lat").value, $("lon").value] = [lat.toFixed(4), lon.toFixed(4)];
  forget();
  const ticket = ++asked;
  try {
    const found = await (await ask(`api/v1/cell?lat=${lat.toFixed(6)}&lon=${lon.toFixed(6)}`)).json();
    if (ticket !== asked) return; // a later place is on its way
    cell = found;
    // the figures are of that cell
    if (cell.cell_basis === "nearest") for (const map of maps()) map.mark(cell.latitude, cell.longitude);
    await tell();
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

$("goto").addEventListener("submit", (event) => {
  event.preventDefault();
  const [lat, lon] = [Number($("lat").value), Number($("lon").value)];
  if (Number.isFinite(lat) && Number.isFinite(lon)) first?.map.choose(lat, lon);
  else tellPlace(t("goto.numbers"));
});
$("keyform").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  location.reload();
});
$("in").addEventListener("click", () => first?.map.zoom(0.7));
$("out").addEventListener("click", () => first?.map.zoom(1.4));
$("whole").addEventListener("click", () => first?.map.whole());
$("two").addEventListener("click", () => {
  if (!first) return;
  show(!isTwo);
  if (isTwo) {
    second.set(Object.fromEntries(CHOICES.map((id) => [id, $(id).value])));
    paint([second]);
    second.$("risk").focus();
  }
  write(shown(), true);
});
startForm(chosen);
startWhatIf({ request, panel: () => first });
startSearch(({ lat, lon, zoom }) => {
  if (zoom) first.map.look(lat, lon, zoom);
  first.map.choose(lat, lon);
});
switcher($("languages"), () => (first ? address(shown()) : new URL(location.href)));
start().catch((error) => {
  if (!(error instanceof Refused)) throw error;
  say($("run"), error.message, true);
});
