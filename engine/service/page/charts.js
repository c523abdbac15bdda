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

export function bars(parent, bins, colours) {
  const words = bins.map((bin) => `${bin.range}: ${(100 * bin.probability).toFixed(1)} %`).join("; ");
  const svg = chart(parent, 340, 150, `Probability of each bin. ${words}`);
  const width = 320 / bins.length;
  const top = Math.max(...bins.map((bin) => bin.probability), 0.01);
  bins.forEach((bin, i) => {
    const height = (100 * bin.probability) / top;
    const x = 10 + i * width;
    draw(svg, "rect", { class: "bar", x: x + 3, y: 118 - height, width: width - 6, height, fill: colours[i], stroke: "#26323f" });
    draw(svg, "text", { x: x + width / 2, y: 112 - height, "text-anchor": "middle" }, `${(100 * bin.probability).toFixed(1)} %`);
    draw(svg, "text", { x: x + width / 2, y: 131, "text-anchor": "middle" }, bin.range);
    draw(svg, "text", { x: x + width / 2, y: 144, "text-anchor": "middle", opacity: 0.75 }, `loss ${+(100 * bin.base_damage_rate).toPrecision(3)} %`);
  });
  draw(svg, "line", { class: "axis", x1: 10, x2: 330, y1: 118, y2: 118 });
}

// series: [{name, values: [..]}], one value a period, null where there is none
export function lines(parent, title, periods, series, format) {
  const known = series.flatMap((each) => each.values).filter((value) => value !== null);
  if (!known.length) return;
  const words = series.map((each) => `${each.name}: ${each.values.map((v) => (v === null ? "none" : format(v))).join(", ")}`);
  const svg = chart(parent, 340, 118, `${title} by period. ${words.join("; ")}`);
  const low = Math.min(...known), high = Math.max(...known);
  const y = (value) => 82 - (high > low ? (64 * (value - low)) / (high - low) : 32);
  const x = (i) => 60 + i * 70;
  draw(svg, "text", { x: 52, y: 21, "text-anchor": "end" }, format(high));
  draw(svg, "text", { x: 52, y: 85, "text-anchor": "end" }, format(low));
  periods.forEach((name, i) => draw(svg, "text", { x: x(i), y: 104, "text-anchor": "middle" }, name));
  series.forEach((each, s) => {
    const [stroke, dashes] = SERIES[s % SERIES.length];
    const points = each.values.map((v, i) => (v === null ? null : `${x(i)},${y(v)}`)).filter(Boolean).join(" ");
    draw(svg, "polyline", { class: "series", points, fill: "none", stroke, "stroke-width": 2, "stroke-dasharray": dashes });
    draw(svg, "line", { x1: 226, x2: 246, y1: 22 + s * 18, y2: 22 + s * 18, stroke, "stroke-width": 2, "stroke-dasharray": dashes });
    draw(svg, "text", { x: 251, y: 25 + s * 18 }, each.name);
  });
}
