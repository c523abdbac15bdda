// The search of places: a combobox over regions of the warehouse; a coordinate can be typed in the same field.

import { Refused, ask } from "./ask.js";
import { place } from "./cell.js";
import { $, made, say } from "./dom.js";
import { language, t } from "./texts.js";

const WAIT = 200; // ms after the last key
const ZOOM = { province: 3, municipality: 8, town: 14 };
let found = [], active = -1, asked = 0, waiting = null, onFound = null;

// "37.5665, 126.978", with a comma or a space between them
export function coordinate(text) {
  const parts = /^\s*(-?\d+(?:\.\d+)?)\s*(?:,|\s)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  if (!parts) return null;
  const [lat, lon] = parts.slice(1).map(Number);
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : null;
}

function name(each) {
  const own = language !== "ko" && each.english ? `${each.english} (${each.name})` : each.name;
  return [own, ...(language === "ko" ? each.within : each.within_english).toReversed()].join(", ");
}

async function look() {
  const text = $("search").value.trim(), ticket = ++asked, at = coordinate(text);
  if (!text) return close();
  if (at) return offer([{ ...at, words: place(at.lat, at.lon) }], t("search.coordinate"));
  try {
    const { places, held } = await (await ask(`api/v1/places?${new URLSearchParams({ q: text })}`)).json();
    if (ticket !== asked) return; // more was typed
    const options = places.map((each) => ({ lat: each.latitude, lon: each.longitude, zoom: ZOOM[each.level], words: name(each), level: t(`search.${each.level}`) }));
    offer(options, places.length ? t("search.found", { count: places.length }) : none(held));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (ticket === asked) offer([], error.message, true);
  }
}

// Why nothing was found: what there is no name of
function none(held) {
  if (!held.province && !held.municipality && !held.town) return t("search.no_regions");
  return held.town === 0 ? t("search.no_towns") : t("search.none"); // undefined: the country has no such level
}

function offer(options, told, isServers) {
  found = options;
  active = -1;
  $("suggestions").replaceChildren();
  options.forEach((each, i) => {
    const option = made($("suggestions"), "li", undefined, { role: "option", id: `suggestion-${i}`, "aria-selected": "false" });
    made(option, "span", each.words);
    if (each.level) made(option, "small", each.level);
    option.addEventListener("pointerdown", (event) => { event.preventDefault(); take(each); });
  });
  $("suggestions").hidden = !options.length;
  $("search").setAttribute("aria-expanded", String(options.length > 0));
  $("search").removeAttribute("aria-activedescendant");
  say($("searched"), told, isServers);
}

function close() {
  asked += 1;
  clearTimeout(waiting);
  offer([], "");
}

function move(by) {
  if (!found.length) return;
  active = active < 0 && by < 0 ? found.length - 1 : (active + by + found.length) % found.length;
  [...$("suggestions").children].forEach((option, i) => option.setAttribute("aria-selected", String(i === active)));
  $("search").setAttribute("aria-activedescendant", `suggestion-${active}`);
  $("suggestions").children[active].scrollIntoView({ block: "nearest" });
}

function take(each) {
  $("search").value = each.words;
  close();
  onFound(each);
}

async function enter() {
  clearTimeout(waiting);
  if (!found.length) await look();
  if (found.length) take(found[Math.max(active, 0)]);
}

// taken: ({lat, lon, zoom}) of a place; zoom is undefined of a coordinate
export function startSearch(taken) {
  onFound = taken;
  const box = $("search");
  box.addEventListener("input", () => {
    found = []; // of other letters
    clearTimeout(waiting);
    waiting = setTimeout(look, WAIT);
  });
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.isComposing) return; // the letters of a syllable are still being put together
    if (moves[event.key]) move(moves[event.key]);
    else if (event.key === "Enter") enter();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}
