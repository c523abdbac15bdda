// Names of provinces, and of cities and counties where there is room, on the map.

import { draw } from "./charts.js";
import { language } from "./texts.js";

const SIZE = { province: 12, municipality: 10.5 }; // px
const NEAR = 2.5; // times enlarged from where cities are written

// text width in ems: Hangul is square, Latin about half as wide
const ems = (text) => [...text].reduce((sum, letter) => sum + (letter > "\u1100" ? 1 : 0.56), 0);

export class Labels {
  constructor(map, told) {
    this.map = map;
    this.group = map.part("labels");
    this.told = told.map((each) => ({ ...each, text: language === "ko" ? each.name : each.english ?? each.name }));
  }

  // Those in view that do not cover one another, provinces first
  show() {
    const { view, full, squeeze, svg } = this.map, box = svg.getBoundingClientRect();
    const pixel = Math.max(view.w / box.width, view.h / box.height); // degrees of one
    const level = full.w / view.w >= NEAR ? ["province", "municipality"] : ["province"], taken = [];
    this.group.replaceChildren();
    for (const each of this.told) {
      if (!level.includes(each.level)) continue;
      const x = this.map.counted(each.longitude) * squeeze, y = -each.latitude, size = SIZE[each.level] * pixel;
      const half = (ems(each.text) * size) / 2 + 2 * pixel, place = { left: x - half, right: x + half, top: y - size * 0.8, bottom: y + size * 0.8 };
      if (place.left < view.x || place.right > view.x + view.w || place.top < view.y || place.bottom > view.y + view.h) continue;
      if (taken.some((other) => place.left < other.right && other.left < place.right && place.top < other.bottom && other.top < place.bottom)) continue;
      taken.push(place);
      const move = `translate(${x} ${y + size * 0.35}) scale(${pixel})`; // a font of a fraction of a degree is drawn badly
      draw(this.group, "text", { transform: move, "font-size": SIZE[each.level], class: each.level }, each.text);
    }
  }
}
