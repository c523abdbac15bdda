// Two exceedance curves on one chart: losses from 0, return periods on a log scale.

import { draw } from "../charts.js";
import { made } from "../dom.js";
import { missing, rounded, t } from "./text.js";

const STYLES = [["first", "#0072b2", ""], ["second", "#d55e00", "6 3"]];

// curves: [{name, points: [{return_period, loss, loss_low, loss_high}]}], two of them; note: what the losses are
export function twoCurves(box, curves, note) {
  const known = curves.flatMap((each) => each.points);
  if (curves.some((each) => each.points.length < 2)) return;
  const words = curves.map((each) => `${each.name}: ${each.points.map((point) => t("chart.point", { count: point.return_period, loss: rounded(point.loss) })).join(", ")}`);
  const holder = made(box, "figure", undefined, { class: "curve" });
  made(holder, "figcaption", t("chart.title", { note }));
  const svg = draw(holder, "svg", { class: "chart", viewBox: "0 0 360 190", role: "img" });
  draw(svg, "title", {}, `${t("chart.aria")} ${words.join("; ")}`);
  const ends = known.map((point) => point.return_period), [first, last] = [Math.min(...ends), Math.max(...ends)];
  const top = Math.max(...known.flatMap((point) => [point.loss, point.loss_high ?? 0])) || 1;
  const x = (count) => 62 + (280 * Math.log(count / first)) / Math.log(last / first), y = (loss) => 132 - (108 * loss) / top;
  const at = (point, loss) => `${x(point.return_period).toFixed(1)} ${y(loss).toFixed(1)}`;
  draw(svg, "text", { x: 0, y: 10, class: "soft" }, t("chart.loss"));
  draw(svg, "text", { x: 355, y: 164, class: "soft", "text-anchor": "end" }, t("chart.years"));
  for (const value of [0, top / 2, top]) {
    draw(svg, "line", { class: "grid-line", x1: 62, x2: 345, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: 58, y: y(value) + 3, "text-anchor": "end" }, rounded(value));
  }
  curves.forEach(({ name, points }, i) => {
    const [kind, stroke, dashes] = STYLES[i], sure = points.filter((point) => !missing(point.loss_low) && !missing(point.loss_high));
    if (sure.length > 1) {
      const outline = [...sure.map((point) => at(point, point.loss_high)), ...sure.slice().reverse().map((point) => at(point, point.loss_low))].join("L");
      draw(svg, "path", { class: `band ${kind}`, d: `M${outline}Z`, fill: stroke, "fill-opacity": 0.15 });
    }
    draw(svg, "path", { class: kind, d: `M${points.map((point) => at(point, point.loss)).join("L")}`, fill: "none", stroke, "stroke-width": 2, "stroke-dasharray": dashes });
    for (const point of points) draw(draw(svg, "circle", { cx: x(point.return_period), cy: y(point.loss), r: 2.5, fill: stroke }), "title", {}, t("chart.point", { count: point.return_period, loss: rounded(point.loss) }));
    draw(svg, "line", { x1: 62 + 150 * i, x2: 86 + 150 * i, y1: 180, y2: 180, stroke, "stroke-width": 2, "stroke-dasharray": dashes });
    draw(svg, "text", { x: 90 + 150 * i, y: 183 }, name);
  });
  let written = -99;
  for (const point of curves[0].points) {
    if (x(point.return_period) - written < 26) continue;
    written = x(point.return_period);
    draw(svg, "text", { x: written, y: 147, "text-anchor": "middle" }, point.return_period);
  }
}
