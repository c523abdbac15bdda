// Loss of the portfolio by how seldom it is reached: chart and figures.

import { draw } from "../charts.js";
import { $, made } from "../dom.js";
import { line, table, tellKinds } from "./tables.js";
import { basis, ends, kindOf, missing, money, NONE, risk, rounded, said, t } from "./text.js";

// told: answer of .../curve; pair: {scenario_id, time_period}
export function showCurve(told, pair) {
  const ours = (told.curve ?? []).filter((each) => each.kind === "aep" && each.scenario_id === pair.scenario_id && each.time_period === pair.time_period);
  const before = $("curve-risk").value, risks = [...new Set(ours.map((each) => each.risk_type))].sort((a, b) => (b === "all") - (a === "all"));
  $("curve-risk").replaceChildren();
  for (const name of risks) made($("curve-risk"), "option", risk(name), { value: name });
  if (risks.includes(before)) $("curve-risk").value = before;
  $("curve-risk").onchange = () => points(ours);
  $("curve-box").replaceChildren();
  if (told.note || !ours.length) made($("curve-box"), "p", t("curve.none", { why: said(told.note) || NONE }), { class: "note" });
  else points(ours);
}

function points(ours) {
  const box = $("curve-box"), found = ours.filter((each) => each.risk_type === $("curve-risk").value);
  const parts = (each) => [each.loss, each.loss_note ? null : each.loss, each.loss_note ? each.loss : null], note = (each) => basis(...parts(each));
  box.replaceChildren();
  made(box, "p", t("curve.what", { basis: note(found[0]) }));
  chart(made(box, "div", undefined, { class: "curve" }), found, note(found[0]));
  const body = table(box, t("curve.title"), ["once", "loss", "interval", "percent", "how"].map((name) => t(`curve.${name}`)));
  for (const each of found) {
    const share = missing(each.loss_percent) ? NONE : `${+each.loss_percent.toPrecision(3)} %`;
    line(body, t("years", { count: each.return_period }), [money(each.loss), ends(each.loss_low, each.loss_high, money), share, t(`curve.${each.basis}`)]);
  }
  tellKinds(body, found.map((each) => kindOf(...parts(each))));
}

// losses from 0, return periods on a log scale; dashed where extrapolated
function chart(box, found, note) {
  const svg = draw(box, "svg", { class: "chart", viewBox: "0 0 360 170", role: "img" });
  const words = found.map((each) => t("curve.point", { count: each.return_period, loss: rounded(each.loss) })).join("; ");
  draw(svg, "title", {}, t("curve.words", { words, basis: note }));
  if (found.length < 2) return;
  const [first, last] = [found[0].return_period, found.at(-1).return_period];
  const top = Math.max(...found.flatMap((each) => [each.loss, each.loss_high ?? 0])) || 1;
  const x = (count) => 62 + (280 * Math.log(count / first)) / Math.log(last / first), y = (loss) => 132 - (108 * loss) / top;
  const at = (each, loss) => `${x(each.return_period).toFixed(1)} ${y(loss).toFixed(1)}`;
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, t("curve.axis.loss"));
  draw(svg, "text", { x: 355, y: 164, class: "soft", "text-anchor": "end" }, t("curve.axis.years"));
  for (const value of [0, top / 2, top]) {
    draw(svg, "line", { class: "grid-line", x1: 62, x2: 345, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: 58, y: y(value) + 3, "text-anchor": "end" }, rounded(value));
  }
  const known = found.filter((each) => !missing(each.loss_low) && !missing(each.loss_high));
  if (known.length > 1) draw(svg, "path", { class: "area", d: `M${known.map((each) => at(each, each.loss_high)).join("L")}L${known.slice().reverse().map((each) => at(each, each.loss_low)).join("L")}Z` });
  const seen = found.filter((each) => each.basis === "empirical"), beyond = found.filter((each) => each.basis !== "empirical");
  for (const [some, kind] of [[seen, "steps"], [beyond.length ? [...seen.slice(-1), ...beyond] : [], "steps beyond"]]) {
    if (some.length > 1) draw(svg, "path", { class: kind, d: `M${some.map((each) => at(each, each.loss)).join("L")}` });
  }
  let written = -99;
  for (const each of found) {
    draw(svg, "circle", { class: "dot", cx: x(each.return_period), cy: y(each.loss), r: 3 });
    if (x(each.return_period) - written < 26) continue;
    written = x(each.return_period);
    draw(svg, "text", { x: written, y: 147, "text-anchor": "middle" }, each.return_period);
  }
}
