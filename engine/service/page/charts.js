// Small SVG charts, each with its figures in words for a screen reader.

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
  return low === "−inf" ? `< ${high}` : `${low} to ${high}`;
}

// bins: [{range, probability, base_damage_rate}], unit: of the range, may be empty
export function bars(parent, bins, colours, unit) {
  const share = (value) => `${(100 * value).toFixed(1)} %`;
  const words = bins.map((bin) => `${range(bin.range)} ${unit}: ${share(bin.probability)}`).join("; ");
  const svg = chart(parent, 340, 18 + 24 * bins.length, `Probability of each bin. ${words}`);
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, unit || "intensity");
  draw(svg, "text", { x: 150, y: 10, class: "soft", "text-anchor": "end" }, "damage");
  draw(svg, "text", { x: 158, y: 10, class: "soft" }, "probability");
  const top = Math.max(...bins.map((bin) => bin.probability), 0.01);
  bins.forEach((bin, i) => {
    const y = 18 + 24 * i, width = (132 * bin.probability) / top;
    draw(svg, "text", { x: 0, y: y + 13 }, range(bin.range));
    draw(svg, "text", { x: 150, y: y + 13, "text-anchor": "end" }, bin.base_damage_rate === null ? "–" : `${+(100 * bin.base_damage_rate).toPrecision(3)} %`);
    draw(svg, "rect", { class: "bar", x: 158, y: y + 2, width, height: 16, fill: colours[i], stroke: "#26323f" });
    draw(svg, "text", { x: 163 + width, y: y + 13 }, share(bin.probability));
  });
  draw(svg, "line", { class: "axis", x1: 158, x2: 158, y1: 16, y2: 18 + 24 * bins.length });
}

// series: [{name, values: [..], errors: [..], chosen}], one value a period, null where there is none
// The scale starts at 0 and ends at `top`, or at the largest value: noise between windows must not look like a trend
export function lines(parent, title, periods, series, format, top) {
  const known = series.flatMap((each) => each.values).filter((value) => value !== null);
  if (!known.length) return;
  const told = (value) => (value === null ? "none" : format(value));
  const words = series.map((each) => `${each.name}: ${each.values.map(told).join(", ")}`);
  const svg = chart(parent, 340, 118, `${title} by period. ${words.join("; ")}`);
  const spread = series.filter((each) => each.chosen).flatMap((each) =>
    each.values.flatMap((v, i) => (v === null || !each.errors?.[i] ? [] : [Math.max(v - each.errors[i], 0), v + each.errors[i]])));
  const low = 0, high = top ?? Math.max(...known, ...spread);
  const y = (value) => 82 - (high > low ? (64 * (value - low)) / (high - low) : 32);
  const x = (i) => 64 + i * 70;
  for (const value of new Set([low, high])) {
    draw(svg, "line", { class: "grid", x1: 50, x2: 214, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: 46, y: y(value) + 3, "text-anchor": "end" }, format(value));
  }
  periods.forEach((name, i) => draw(svg, "text", { x: x(i), y: 104, "text-anchor": "middle" }, name));
  series.forEach((each, s) => {
    const [stroke, dashes] = SERIES[s % SERIES.length], width = each.chosen ? 3 : 1.5;
    const line = { stroke, "stroke-width": width, "stroke-dasharray": dashes };
    const points = each.values.map((v, i) => (v === null ? null : `${x(i)},${y(v)}`)).filter(Boolean).join(" ");
    draw(svg, "polyline", { class: "series", points, fill: "none", ...line });
    each.values.forEach((v, i) => {
      if (v === null) return;
      if (each.chosen && each.errors?.[i]) {
        draw(svg, "line", { class: "error", x1: x(i), x2: x(i), y1: y(v + each.errors[i]), y2: y(Math.max(v - each.errors[i], 0)), stroke });
      }
      draw(draw(svg, "circle", { cx: x(i), cy: y(v), r: each.chosen ? 3.5 : 2.5, fill: stroke }), "title", {}, `${each.name}, ${periods[i]}: ${format(v)}`);
    });
    draw(svg, "line", { x1: 228, x2: 248, y1: 22 + s * 18, y2: 22 + s * 18, ...line });
    draw(svg, "text", { x: 253, y: 25 + s * 18, class: each.chosen ? "chosen" : "" }, each.name);
  });
}
