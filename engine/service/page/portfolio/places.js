// Sites as points on the map, coloured by loss or level: one drawn path a colour, however many sites there are.

import { $, made } from "../dom.js";
import { missing, percent, rounded, t } from "./text.js";

const SVG = "http://www.w3.org/2000/svg", REACH = 14; // pixels within which a click finds a site
const ratio = (site) => (missing(site.total_expected_loss) || !site.total_asset_value ? null : site.total_expected_loss / site.total_asset_value);
const QUANTITIES = { loss: [(site) => site.total_expected_loss, rounded], percent: [ratio, percent], level: [(site) => site.risk_level, null] };

export class Places {
  // map: the NationalMap, placed; meta: of api/v1/map
  constructor(map, meta) {
    this.map = map;
    this.meta = meta;
    for (const name of Object.keys(QUANTITIES)) made($("by"), "option", t(`map.${name}`), { value: name });
    $("by").addEventListener("change", () => this.show(this.sites));
    map.layer.setAttribute("visibility", "hidden");
  }

  show(sites) {
    this.sites = sites;
    const [value, told] = QUANTITIES[$("by").value], { classes, of } = told ? limits(sites.map(value), told) : this.levels();
    const colours = this.colours(classes.length), groups = classes.map(() => []), none = [];
    for (const site of sites) (missing(value(site)) ? none : groups[of(value(site))]).push(site);
    this.map.places.replaceChildren();
    for (const [group, colour] of [[none, this.meta.no_value], ...groups.map((group, i) => [group, colours[i]])]) {
      const d = group.map((site) => { const { x, y } = this.at(site); return `M${x.toFixed(4)} ${y.toFixed(4)}h0`; }).join("");
      for (const part of ["edge", "fill"]) {
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("d", d);
        path.setAttribute("class", part);
        path.dataset.sites = group.length;
        if (part === "fill") path.style.stroke = colour;
        this.map.places.append(path);
      }
    }
    this.legend([...classes.map((label, i) => [colours[i], label, groups[i].length]), [this.meta.no_value, t("map.none"), none.length]]);
    this.ring();
  }

  levels() {
    const names = this.meta.levels.map((each) => each.printed);
    return { classes: names.map((name) => t(`level.${name}`)), of: (name) => names.indexOf(name) };
  }

  colours(count) {
    const all = this.meta.scales.hazard.colours;
    return Array.from({ length: count }, (_, i) => all[count === 1 ? 0 : Math.round((i * (all.length - 1)) / (count - 1))]);
  }

  legend(rows) {
    $("legend").replaceChildren();
    made($("legend"), "strong", t(`map.unit.${$("by").value}`));
    for (const [colour, label, count] of rows) {
      if (!count) continue;
      const row = made($("legend"), "div");
      made(row, "i").style.background = colour;
      made(row, "span", t("map.class", { label, count: count.toLocaleString() }));
    }
  }

  // a site in the drawing, in the lattice's own count across the date line
  at({ latitude, longitude }) {
    const { west, east } = this.meta, turn = 360 * Math.round(((west + east) / 2 - longitude) / 360);
    return { x: (longitude + turn) * this.map.squeeze, y: -latitude };
  }

  // the site at a place of the map, null where none is near enough
  near(latitude, longitude) {
    const here = this.at({ latitude, longitude }), { w, h } = this.map.view, svg = this.map.svg;
    const reach = REACH * Math.max(w / svg.clientWidth, h / svg.clientHeight);
    let best = null, least = reach;
    for (const site of this.sites) {
      const { x, y } = this.at(site), away = Math.hypot(x - here.x, y - here.y);
      if (away < least) [best, least] = [site, away];
    }
    return best;
  }

  ring(site = this.chosen) {
    this.chosen = site;
    this.map.places.querySelector(".ring")?.remove();
    if (!site) return;
    const { x, y } = this.at(site), path = document.createElementNS(SVG, "path");
    path.setAttribute("d", `M${x.toFixed(4)} ${y.toFixed(4)}h0`);
    path.setAttribute("class", "ring");
    this.map.places.prepend(path);
  }
}

// Five classes with as many sites each, their limits rounded; fewer where values repeat
function limits(values, told) {
  const known = values.filter((value) => !missing(value)).sort((a, b) => a - b);
  const cuts = [0.2, 0.4, 0.6, 0.8].map((share) => +(known[Math.floor(share * known.length)] ?? 0).toPrecision(2));
  const inner = [...new Set(cuts)].filter((cut) => cut > (known[0] ?? 0));
  const classes = [...inner, null].map((cut, i) => {
    if (!inner.length) return t("map.any");
    if (cut === null) return t("map.from", { low: told(inner.at(-1)) });
    return i ? t("ends", { low: told(inner[i - 1]), high: told(cut) }) : t("map.below", { high: told(cut) });
  });
  return { classes, of: (value) => inner.filter((cut) => value >= cut).length };
}
