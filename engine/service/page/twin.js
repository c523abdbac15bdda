// The second map: a copy of what the page has for the first, each id with "2" behind it.

import { $, made } from "./dom.js";
import { t } from "./texts.js";

const SECOND = "2";

function copyOf(element) {
  const copy = element.cloneNode(true);
  for (const part of [copy, ...copy.querySelectorAll("[id]")]) part.id += SECOND;
  return copy;
}

// Choices into `choices`, map with all below it into `box`: empty elements of the page
export function twin(choices, box) {
  made(choices, "legend", t("second"));
  for (const label of $("chooser").querySelectorAll(":scope > label")) {
    const copy = label.cloneNode(true);
    for (const part of copy.querySelectorAll("[id]")) part.id += SECOND;
    choices.append(copy);
  }
  for (const id of ["caption", "map", "pointed", "legend", "note", "save", "message"]) box.append(copyOf($(id)));
  const map = $(`map${SECOND}`);
  map.dataset.suffix = SECOND;
  map.setAttribute("aria-label", t("second.keys"));
  map.querySelector("clipPath").remove(); // that of the first serves both
  map.querySelector(".hint")?.remove();
  return SECOND;
}
