// Why this number: the explanation of the chosen figure, asked for when it is opened.

import { draw } from "./charts.js";
import { made, percent } from "./dom.js";

const WIDTH = 340, HEIGHT = 126, LEFT = 44, RIGHT = 334, TOP = 22, BOTTOM = 102;
const short = (value) => (+value.toPrecision(3)).toLocaleString("en").replace("-", "−");
const share = (ratio) => (ratio === null ? "–" : percent(ratio));
let isOpen = false; // stays as the reader left it when another cell, risk or window is chosen

// read: () => promise of the answer of explain, rejected with a reason
export function why(box, read, isCurrent) {
  const details = made(box, "details", undefined, { class: "why" });
  made(details, "summary", "Why this number");
  const inside = made(details, "div");
  let begun = false;
  const open = async () => {
    if (begun) return;
    begun = true;
    made(inside, "p", "Computing it again from its inputs…", { class: "note", role: "status" });
    const { told, reason } = await read();
    if (!isCurrent()) return;
    inside.replaceChildren();
    if (told) show(inside, told);
    else made(inside, "p", `${reason}.`.replace(/\.\.$/, "."), { class: "note" });
  };
  details.addEventListener("toggle", () => { isOpen = details.open; if (details.open) open(); });
  if (isOpen) details.open = true;
}

function show(box, told) {
  const { intensity, edges, estimator, rates, edition, source, figure, stored } = told;
  made(box, "p", `${capital(told.sentence)}.`);
  made(box, "h4", "From the climate to an intensity");
  made(box, "p", `${capital(intensity.sentence)}.`, { class: "note" });
  sparkline(box, told);
  made(box, "h4", "From the intensity to probabilities");
  made(box, "p", `Bins: edges ${edges.sentence}. ${edges.note ? `${edges.note}. ` : ""}Probabilities: ${estimator.sentence}.`, { class: "note" });
  made(box, "h4", rates.priced ? "From probabilities to the loss" : "Probabilities of the bins");
  bins(box, told);
  if (rates.factor) made(box, "p", `Rates hold the factor ${short(rates.factor.value)} (90 %: ${short(rates.factor.low)} to ${short(rates.factor.high)}): ${rates.factor.source}.`, { class: "note" });
  if (figure.aal !== null) {
    const same = stored.agrees ? "the published figure is the same" : `the published figure is ${share(stored.aal)}: another version of the engine made it`;
    made(box, "p", `Computed again ${share(figure.aal)}; ${same}.`, { class: "note" });
  }
  made(box, "h4", "Sources");
  const list = made(box, "dl");
  const item = (name, value) => { made(list, "dt", name); return made(list, "dd", value); };
  item("Rates", edition.source);
  item("Edition", edition.file ? `${edition.name}, ${edition.file}, line ${edition.line}` : edition.name);
  item("Climate", `${source.address}, state ${source.fingerprint.slice(0, 8)}`);
  item("Tables", source.tables.join(", "));
  if (source.stands_on) item("Record", source.stands_on);
  if (edition.text) made(made(box, "details"), "summary", "Lines of the edition").parentElement.append(pre(edition.text));
  const file = new Blob([JSON.stringify(told, null, 1)], { type: "application/json" });
  const name = `why-${told.risk_type}-${told.grid_id}-${told.scenario_id}-${told.time_period}.json`;
  made(made(box, "p", undefined, { class: "note" }), "a", "All values as JSON", { href: URL.createObjectURL(file), download: name });
}

function pre(text) {
  const element = document.createElement("pre");
  element.textContent = text;
  return element;
}

// A range as people write it; of an index that the intensity negates, in the index itself
function range({ low, high }, negated) {
  if (negated) [low, high] = [high === null ? null : -high, low === null ? null : -low];
  if (low === null) return negated ? `≤ ${short(high)}` : `< ${short(high)}`;
  if (high === null) return negated ? `> ${short(low)}` : `≥ ${short(low)}`;
  return `${short(low)} to ${short(high)}`;
}

function bins(box, told) {
  const { unit, negated } = told.intensity, table = made(box, "table", undefined, { class: "parts" });
  const head = made(made(table, "thead"), "tr"), rows = made(table, "tbody");
  const columns = told.rates.priced ? ["probability", "×\u00a0damage", "=\u00a0loss"] : ["probability"];
  for (const name of [unit === "1" ? "bin" : unit, ...columns]) made(head, "th", name, { scope: "col" });
  for (const each of told.bins) {
    const row = made(rows, "tr");
    made(row, "th", range(each, negated), { scope: "row" });
    made(row, "td", share(each.probability));
    if (told.rates.priced) for (const value of [each.damage_rate, told.status === "not_exposed" ? 0 : each.part]) made(row, "td", share(value));
  }
  if (!told.rates.priced) return;
  const foot = made(made(table, "tfoot"), "tr");
  made(foot, "th", "Average annual loss", { scope: "row", colspan: 3 });
  made(foot, "td", share(told.figure.aal));
}

// The intensity of each year: the window shaded, the baseline as a bar below, edges as dashed lines
function sparkline(box, told) {
  const { years, values } = told.intensity.by_year, known = values.filter((value) => value !== null);
  if (!known.length) return;
  const sign = told.intensity.negated ? -1 : 1, shown = values.map((value) => (value === null ? null : sign * value));
  const recorded = told.intensity.factor !== null, { window, baseline } = told;
  const cuts = told.edges.values.map((value) => sign * value);
  const least = sign * Math.min(...known), most = sign * Math.max(...known);
  let [low, high] = [Math.min(least, most), Math.max(least, most)];
  const inReach = cuts.filter((cut) => cut >= low - 0.5 * (high - low) && cut <= high + 0.5 * (high - low));
  [low, high] = [Math.min(low, ...inReach), Math.max(high, ...inReach)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const [first, last] = [years[0], years.at(-1)];
  const x = (year) => LEFT + ((RIGHT - LEFT) * (year - first + 0.5)) / (last - first + 1);
  const y = (value) => BOTTOM - ((BOTTOM - TOP) * (value - low)) / (high - low);
  const span = recorded ? "years of the track record" : `${window.first} to ${window.last} shaded`;
  const svg = draw(box, "svg", { class: "chart spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  draw(svg, "title", {}, `${told.intensity.meaning} by year, ${first} to ${last}, from ${short(least)} to ${short(most)}; ${span}.`);
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, told.intensity.unit === "1" ? "" : told.intensity.unit);
  const half = (RIGHT - LEFT) / (last - first + 1) / 2;
  const inside = (year) => recorded || (year >= window.first && year <= window.last);
  if (!recorded) draw(svg, "rect", { class: "area", x: x(window.first) - half, y: TOP, width: x(window.last) - x(window.first) + 2 * half, height: BOTTOM - TOP });
  for (const value of [low, high]) draw(svg, "text", { x: LEFT - 4, y: y(value) + 3, "text-anchor": "end" }, short(value));
  for (const cut of inReach) draw(svg, "line", { class: "cut", x1: LEFT, x2: RIGHT, y1: y(cut), y2: y(cut) });
  const line = years.map((year, i) => (shown[i] === null ? null : `${x(year)},${y(shown[i])}`)).filter(Boolean).join(" ");
  if (!recorded) draw(svg, "polyline", { class: "soft", points: line });
  years.forEach((year, i) => {
    if (shown[i] === null || !inside(year)) return;
    draw(draw(svg, "circle", { class: "dot", cx: x(year), cy: y(shown[i]), r: 2 }), "title", {}, `${year}: ${short(shown[i])}`);
  });
  draw(svg, "line", { class: "axis", x1: LEFT, x2: RIGHT, y1: BOTTOM, y2: BOTTOM });
  const marked = told.edges.baseline && !recorded && baseline.first >= first && baseline.last <= last;
  if (marked) draw(draw(svg, "rect", { class: "baseline", x: x(baseline.first) - half, y: BOTTOM + 2, width: x(baseline.last) - x(baseline.first) + 2 * half, height: 3 }), "title", {}, `baseline ${baseline.first} to ${baseline.last}`);
  for (const [year, anchor] of [[first, "start"], [last, "end"]]) draw(svg, "text", { x: anchor === "start" ? LEFT : RIGHT, y: 120, "text-anchor": anchor }, year);
  const month = told.samples.per_year > 1 ? `${told.intensity.negated ? "lowest" : "largest"} month of each year` : "each year";
  const parts = [`${capital(month)}; dots: ${recorded ? "the track record" : `the ${window.last - window.first + 1} years of the period`}`, "dashed: edges of the bins"];
  if (marked) parts.push("bar below: baseline");
  made(box, "p", `${parts.join("; ")}.`, { class: "note" });
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
