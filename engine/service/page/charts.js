// Small SVG charts, each with its figures in words for a screen reader.

import { t } from "./texts.js";

const NS = "http://www.w3.org/2000/svg";
// Okabe and Ito: distinct under every kind of colour blindness; dashes say it again
const SERIES = [["#0072b2", ""], ["#e69f00", "5 2"], ["#009e73", "2 2"], ["#d55e00", "7 2 2 2"]];

export function draw(parent, name, attributes = {}, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function chart(parent, width, height, words) {
  const svg = draw(parent, "svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img" });
  draw(svg, "title", {}, words);
  return svg;
}

// "-1.5~-1" as people write it
function range(text) {
  const [low, high] = text.split("~").map((limit) => limit.replace("-", "−"));
  if (high === "inf") return `≥ ${low}`;
  return low === "−inf" ? `< ${high}` : t("range", { low, high });
}

// bins: [{range, probability, base_damage_rate}], unit: of the range, may be empty
export function bars(parent, bins, colours, unit) {
  const share = (value) => `${(100 * value).toFixed(1)} %`;
  const words = bins.map((bin) => `${range(bin.range)} ${unit}: ${share(bin.probability)}`).join("; ");
  const svg = chart(parent, 340, 18 + 24 * bins.length, `${t("bins.aria")} ${words}`);
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, unit || t("bins.intensity"));
  draw(svg, "text", { x: 150, y: 10, class: "soft", "text-anchor": "end" }, t("bins.damage"));
  draw(svg, "text", { x: 158, y: 10, class: "soft" }, t("bins.probability"));
  const top = Math.max(...bins.map((bin) => bin.probability), 0.01);
  bins.forEach((bin, i) => {
    const y = 18 + 24 * i, width = (132 * bin.probability) / top;
    draw(svg, "text", { x: 0, y: y + 13 }, range(bin.range));
    draw(svg, "text", { x: 150, y: y + 13, "text-anchor": "end" }, bin.base_damage_rate === null ? "–" : `${+(100 * bin.base_damage_rate).toPrecision(3)} %`);
    draw(svg, "rect", { class: "bar", x: 158, y: y + 2, width, height: 16, fill: colours[i] });
    draw(svg, "text", { x: 163 + width, y: y + 13 }, share(bin.probability));
  });
  draw(svg, "line", { class: "axis", x1: 158, x2: 158, y1: 16, y2: 18 + 24 * bins.length });
}

// series: [{name, values: [..], ends: [[low, ..], [high, ..]], chosen}], one value a period, null where there is none
// The scale starts at 0 and ends at `top`, or at the largest value: noise between windows must not look like a trend
export function lines(parent, title, periods, series, format, top) {
  const known = series.flatMap((each) => each.values).filter((value) => value !== null);
  if (!known.length) return;
  const told = (value) => (value === null ? t("lines.none") : format(value));
  const words = series.map((each) => `${each.name}: ${each.values.map(told).join(", ")}`);
  const svg = chart(parent, 340, 118, `${t("lines.aria", { title })} ${words.join("; ")}`);
  const spread = series.filter((each) => each.chosen).flatMap((each) => (each.ends?.[1] ?? []).filter((end) => end !== null));
  const low = 0, high = top ?? Math.max(...known, ...spread);
  const y = (value) => 82 - (high > low ? (64 * (value - low)) / (high - low) : 32);
  const x = (i) => 64 + i * 70;
  for (const value of new Set([low, high])) {
    draw(svg, "line", { class: "grid", x1: 50, x2: 214, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: 46, y: y(value) + 3, "text-anchor": "end" }, format(value));
  }
  periods.forEach((name, i) => draw(svg, "text", { x: x(i), y: 104, "text-anchor": "middle" }, name));
  series.forEach((each, s) => each.chosen && each.ends && band(svg, each.ends, x, y, format, SERIES[s % SERIES.length][0]));
  series.forEach((each, s) => {
    const [stroke, dashes] = SERIES[s % SERIES.length], width = each.chosen ? 3 : 1.5;
    const line = { stroke, "stroke-width": width, "stroke-dasharray": dashes };
    const points = each.values.map((v, i) => (v === null ? null : `${x(i)},${y(v)}`)).filter(Boolean).join(" ");
    draw(svg, "polyline", { class: "series", points, fill: "none", ...line });
    each.values.forEach((v, i) => {
      if (v === null) return;
      draw(draw(svg, "circle", { cx: x(i), cy: y(v), r: each.chosen ? 3.5 : 2.5, fill: stroke }), "title", {}, `${each.name}, ${periods[i]}: ${format(v)}`);
    });
    draw(svg, "line", { x1: 228, x2: 248, y1: 22 + s * 18, y2: 22 + s * 18, ...line });
    draw(svg, "text", { x: 253, y: 25 + s * 18, class: each.chosen ? "chosen" : "" }, each.name);
  });
}

// ends: [[low, ..], [high, ..]], one a period; a period without them breaks the band
function band(svg, [lows, highs], x, y, format, fill) {
  const known = lows.map((low, i) => low !== null && highs[i] !== null);
  const at = (i, ends) => `${x(i)} ${y(ends[i])}`;
  for (let first = 0; first < lows.length; first++) {
    if (!known[first]) continue;
    let last = first;
    while (known[last + 1]) last += 1;
    const run = Array.from({ length: last - first + 1 }, (_, k) => first + k);
    const outline = [...run.map((i) => at(i, highs)), ...run.slice().reverse().map((i) => at(i, lows))].join("L");
    const told = run.map((i) => t("range", { low: format(lows[i]), high: format(highs[i]) })).join(", ");
    // a period alone is a bar
    const drawn = first === last ? `M${x(first) - 3} ${y(highs[first])}h6V${y(lows[first])}h-6Z` : `M${outline}Z`;
    draw(draw(svg, "path", { class: "band", d: drawn, fill, "fill-opacity": 0.22 }), "title", {}, `${t("interval")}: ${told}`);
    first = last;
  }
}

// steps: [{damage_rate, probability}] of rates above 0, ascending; both axes start at 0
export function stepChart(parent, steps) {
  const told = (value) => `${+(100 * value).toPrecision(3)} %`;
  const step = (each) => t("steps.point", { rate: told(each.damage_rate), probability: told(each.probability) });
  const words = steps.map(step).join("; ");
  const svg = chart(parent, 340, 128, `${t("steps.aria")} ${words}`);
  const most = steps.at(-1).damage_rate, top = Math.max(...steps.map((each) => each.probability)) || 1;
  const x = (rate) => 50 + (262 * rate) / most, y = (p) => 96 - (72 * p) / top;
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, t("bins.probability"));
  draw(svg, "text", { x: 340, y: 124, class: "soft", "text-anchor": "end" }, t("steps.axis"));
  for (const value of [0, top]) {
    draw(svg, "line", { class: "grid", x1: 50, x2: 312, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: 46, y: y(value) + 3, "text-anchor": "end" }, told(value));
  }
  const line = steps.map((each) => `V${y(each.probability)}H${x(each.damage_rate)}`).join("");
  draw(svg, "path", { class: "area", d: `M50 96${line}V96Z` });
  draw(svg, "path", { class: "steps", d: `M50 ${y(steps[0].probability)}${line}` });
  let last = 30, written = 50;
  steps.forEach((each, i) => {
    const { damage_rate, probability } = each;
    const at = x(damage_rate);
    draw(draw(svg, "circle", { class: "dot", cx: at, cy: y(probability), r: 3 }), "title", {}, step(each));
    draw(svg, "line", { class: "axis", x1: at, x2: at, y1: 96, y2: 99 });
    const isLast = i === steps.length - 1, room = isLast ? 0 : x(most) - at;
    if (isLast || (at - last >= 36 && room >= 40)) {
      draw(svg, "text", { x: at, y: 110, "text-anchor": "middle" }, told(damage_rate));
      last = at;
    }
    if (probability < top && at - written >= 42) { // the highest stands at the axis
      draw(svg, "text", { x: at, y: y(probability) - 6, "text-anchor": isLast ? "end" : "middle" }, told(probability));
      written = at;
    }
  });
  draw(svg, "line", { class: "axis", x1: 50, x2: 312, y1: 96, y2: 96 });
}

// points: [{period, loss, low, high, beyond}], periods ascending; losses from 0, periods on a log scale
export function curveChart(parent, points, format) {
  const point = (each) => t("curve.point", { years: each.period, loss: format(each.loss) });
  const words = points.map((each) => `${point(each)}${each.low === null ? "" : ` (${t("range", { low: format(each.low), high: format(each.high) })})`}`);
  const svg = chart(parent, 340, 150, `${t("curve.aria")} ${words.join("; ")}`);
  const [first, last] = [points[0].period, points.at(-1).period], top = Math.max(...points.flatMap((each) => [each.loss, each.high ?? 0])) || 1;
  const x = (period) => 50 + (270 * Math.log(period / first)) / Math.log(last / first), y = (loss) => 116 - (92 * loss) / top;
  const at = (each, value) => `${x(each.period)} ${y(value)}`;
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, t("steps.axis"));
  draw(svg, "text", { x: 340, y: 146, class: "soft", "text-anchor": "end" }, t("curve.axis"));
  for (const value of [0, top / 2, top]) {
    draw(svg, "line", { class: "grid", x1: 50, x2: 320, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: 46, y: y(value) + 3, "text-anchor": "end" }, format(value));
  }
  const beyond = points.filter((each) => each.beyond && each.low !== null), seen = points.filter((each) => !each.beyond);
  if (beyond.length) draw(svg, "path", { class: "area", d: `M${beyond.map((each) => at(each, each.high)).join("L")}L${beyond.slice().reverse().map((each) => at(each, each.low)).join("L")}Z` });
  const path = (some, kind) => some.length > 1 && draw(svg, "path", { class: kind, d: `M${some.map((each) => at(each, each.loss)).join("L")}` });
  path(seen, "steps");
  path([...seen.slice(-1), ...points.filter((each) => each.beyond)], "steps beyond");
  let written = -99;
  for (const each of points) {
    draw(draw(svg, "circle", { class: "dot", cx: x(each.period), cy: y(each.loss), r: 3 }), "title", {}, point(each));
    if (x(each.period) - written < 24) continue;
    written = x(each.period);
    draw(svg, "text", { x: written, y: 130, "text-anchor": "middle" }, each.period);
  }
  draw(svg, "line", { class: "axis", x1: 50, x2: 320, y1: 116, y2: 116 });
}
