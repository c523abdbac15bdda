// Why this number: the explanation of the chosen figure, asked for when it is opened.

import { draw } from "./charts.js";
import { capital, made, mixed, percent, short } from "./dom.js";
import { english, named, t } from "./texts.js";

const WIDTH = 340, HEIGHT = 126, LEFT = 44, RIGHT = 334, TOP = 22, BOTTOM = 102;
const share = (ratio) => (ratio === null ? "–" : percent(ratio));
let isOpen = false; // stays as the reader left it when another cell, risk or window is chosen

// read: () => promise of the answer of explain, rejected with a reason
export function why(box, read, isCurrent) {
  const details = made(box, "details", undefined, { class: "why" });
  made(details, "summary", t("why.title"));
  const inside = made(details, "div");
  let begun = false;
  const open = async () => {
    if (begun) return;
    begun = true;
    made(inside, "p", t("why.computing"), { class: "note", role: "status" });
    const { told, reason } = await read();
    if (!isCurrent()) return;
    inside.replaceChildren();
    if (told) show(inside, told);
    else made(inside, "p", `${reason}.`.replace(/\.\.$/, "."), { class: "note", ...english });
  };
  details.addEventListener("toggle", () => { isOpen = details.open; if (details.open) open(); });
  if (isOpen) details.open = true;
}

function show(box, told) {
  const { intensity, edges, estimator, rates, edition, source, figure, stored } = told;
  made(box, "p", `${capital(told.sentence)}.`, english);
  made(box, "h4", t("why.intensity"));
  made(box, "p", `${capital(intensity.sentence)}.`, { class: "note", ...english });
  sparkline(box, told);
  made(box, "h4", t("why.probabilities"));
  const edge = { english: `${edges.sentence}. ${edges.note ? `${edges.note}. ` : ""}` };
  mixed(box, "p", [`${t("why.edges")} `, edge, `${t("why.estimator")} `, { english: `${estimator.sentence}.` }], { class: "note" });
  made(box, "h4", t(rates.priced ? "why.loss" : "why.bins"));
  bins(box, told);
  if (rates.factor) {
    const [value, low, high] = ["value", "low", "high"].map((name) => short(rates.factor[name]));
    mixed(box, "p", [`${t("why.factor", { value, low, high })}: `, { english: rates.factor.source }, "."], { class: "note" });
  }
  if (figure.aal !== null) {
    const same = stored.agrees ? t("why.same") : t("why.other", { value: share(stored.aal) });
    made(box, "p", t("why.again", { value: share(figure.aal), same }), { class: "note" });
  }
  made(box, "h4", t("why.sources"));
  const list = made(box, "dl");
  const item = (name, value) => { made(list, "dt", t(name)); made(list, "dd", value, english); };
  item("why.rates", edition.source);
  item("why.edition", edition.file ? `${edition.name}, ${edition.file}, line ${edition.line}` : edition.name);
  item("why.climate", `${source.address}, state ${source.fingerprint.slice(0, 8)}`);
  item("why.tables", source.tables.join(", "));
  if (source.stands_on) item("why.record", source.stands_on);
  if (edition.text) made(made(box, "details"), "summary", t("why.lines")).parentElement.append(pre(edition.text));
  const file = new Blob([JSON.stringify(told, null, 1)], { type: "application/json" });
  const name = `why-${told.risk_type}-${told.grid_id}-${told.scenario_id}-${told.time_period}.json`;
  made(made(box, "p", undefined, { class: "note" }), "a", t("why.json"), { href: URL.createObjectURL(file), download: name });
}

function pre(text) {
  const element = document.createElement("pre");
  element.textContent = text;
  for (const [name, value] of Object.entries(english)) element.setAttribute(name, value);
  return element;
}

// A range as people write it; of an index that the intensity negates, in the index itself
function range({ low, high }, negated) {
  if (negated) [low, high] = [high === null ? null : -high, low === null ? null : -low];
  if (low === null) return negated ? `≤ ${short(high)}` : `< ${short(high)}`;
  if (high === null) return negated ? `> ${short(low)}` : `≥ ${short(low)}`;
  return t("range", { low: short(low), high: short(high) });
}

function bins(box, told) {
  const { unit, negated } = told.intensity, table = made(box, "table", undefined, { class: "parts" });
  const head = made(made(table, "thead"), "tr"), rows = made(table, "tbody");
  const columns = told.rates.priced ? ["why.probability", "why.times", "why.equals"] : ["why.probability"];
  for (const name of [unit === "1" ? t("why.bin") : named("unit", unit), ...columns.map((each) => t(each))]) made(head, "th", name, { scope: "col" });
  for (const each of told.bins) {
    const row = made(rows, "tr");
    made(row, "th", range(each, negated), { scope: "row" });
    made(row, "td", share(each.probability));
    if (told.rates.priced) for (const value of [each.damage_rate, told.status === "not_exposed" ? 0 : each.part]) made(row, "td", share(value));
  }
  if (!told.rates.priced) return;
  const foot = made(made(table, "tfoot"), "tr");
  made(foot, "th", t("aal"), { scope: "row", colspan: 3 });
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
  const span = recorded ? t("why.track_years") : t("why.shaded", window);
  const svg = draw(box, "svg", { class: "chart spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  draw(svg, "title", {}, t("why.spark", { first, last, least: short(least), most: short(most), span }));
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, told.intensity.unit === "1" ? "" : named("unit", told.intensity.unit));
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
  if (marked) draw(draw(svg, "rect", { class: "baseline", x: x(baseline.first) - half, y: BOTTOM + 2, width: x(baseline.last) - x(baseline.first) + 2 * half, height: 3 }), "title", {}, t("why.baseline_years", baseline));
  for (const [year, anchor] of [[first, "start"], [last, "end"]]) draw(svg, "text", { x: anchor === "start" ? LEFT : RIGHT, y: 120, "text-anchor": anchor }, year);
  const month = t(told.samples.per_year > 1 ? (told.intensity.negated ? "why.lowest" : "why.largest") : "why.each_year");
  const dots = recorded ? t("why.track") : t("why.period_years", { years: window.last - window.first + 1 });
  const parts = [`${capital(month)}; ${t("why.dots", { dots })}`, t("why.dashed")];
  if (marked) parts.push(t("why.bar"));
  made(box, "p", `${parts.join("; ")}.`, { class: "note" });
}
