// One map with its layer: choices, picture, legend, value under the pointer, files. The page has one of them, or two.

import { Refused, ask } from "./ask.js";
import { place, scenarioName, years } from "./cell.js";
import { $, capital, say } from "./dom.js";
import { addressOf, isDifference, isDiverging, isReference, layersOf, referenceOf } from "./layers.js";
import { classes, legend, windowName } from "./legend.js";
import { NationalMap, dotsOf } from "./map.js";
import { startSaving } from "./save.js";
import { CHOICES } from "./state.js";
import { risk as named_risk, t } from "./texts.js";
import { columns, indexOf, ownBreaks, painted, rows, spread, valuesOf, written } from "./values.js";

const KEPT = 20, owns = new Map(); // layers on their own scales: {breaks, colours, picture}, each half a megabyte at most
const THAN = ["than_scenario", "than_period"];

export class Panel {
  // suffix: of the ids of its parts; on: {chosen, pointed: of (lat, lon), moved: of (), shown: of (panel), changed: of (),
  // beside: of (panel), the map that it is compared with, or null}
  constructor(suffix, meta, on) {
    Object.assign(this, { suffix, meta, on, layer: "", lent: null, painting: new AbortController(), ticket: 0, pointing: 0 });
    this.$ = (id) => $(id + suffix);
    this.map = new NationalMap(this.$("map"), {
      onChosen: on.chosen, onPointed: on.pointed, onMoved: on.moved, onShown: () => on.shown(this),
    });
    this.map.place(meta);
    for (const id of CHOICES) this.$(id).addEventListener("change", () => on.changed(this));
    startSaving(this);
  }

  // {risk, quantity, ..: text}; a reference is a choice of differences alone
  choices() {
    const all = Object.fromEntries(CHOICES.map((id) => [id, this.$(id).value]));
    return isDifference(all.quantity) ? all : Object.fromEntries(Object.entries(all).filter(([id]) => !THAN.includes(id)));
  }

  // The same, as what they are of
  chosen() {
    const { risk, quantity, scenario, period } = this.choices();
    const named = (window) => ({
      scenario: this.meta.scenarios.find((each) => String(each.scenario_id) === window.scenario),
      period: this.meta.periods.find((each) => each.name === window.period),
    });
    const reference = isDifference(quantity) ? named(referenceOf(this.choices())) : null;
    return { meta: this.meta, risk, quantity, ...named({ scenario, period }), reference };
  }

  get address() {
    return addressOf(this.choices());
  }

  // wanted: of `choices`; what cannot be chosen stays as it is
  set(wanted) {
    for (const [id, value] of Object.entries(wanted)) {
      if ([...this.$(id).options].some((option) => option.value === value)) this.$(id).value = value;
    }
  }

  // Only what was computed can be chosen: a choice that does not go with the others gives way to the nearest that does
  fit() {
    const enable = (id, able) => { for (const option of this.$(id).options) option.disabled = !able(option.value); };
    const settle = (id) => {
      if (this.$(id).selectedOptions[0]?.disabled === false) return;
      const free = [...this.$(id).options].find((option) => !option.disabled);
      if (free) this.$(id).value = free.value;
    };
    const value = (id) => this.$(id).value, risk = value("risk");
    enable("quantity", (name) => Object.keys(layersOf(this.meta, risk, name)).length > 0);
    settle("quantity");
    const quantity = value("quantity"), layers = layersOf(this.meta, risk, quantity);
    enable("scenario", (id) => Object.values(layers).some((ids) => ids.includes(Number(id))));
    settle("scenario");
    enable("period", (name) => layers[name]?.includes(Number(value("scenario"))) ?? false);
    if (this.$("period").selectedOptions[0]?.disabled && layers.mid_term) this.$("period").value = "mid_term";
    settle("period");
    for (const id of THAN) this.$(id).closest("label").hidden = !isDifference(quantity);
    if (!isDifference(quantity)) return;
    const all = () => Object.fromEntries(CHOICES.map((id) => [id, value(id)])), windows = [...this.$("than_period").options].map((each) => each.value);
    enable("than_scenario", (id) => windows.some((name) => isReference(layers, { ...all(), than_scenario: id, than_period: name })));
    settle("than_scenario");
    enable("than_period", (name) => isReference(layers, { ...all(), than_period: name }));
    settle("than_period");
  }

  // The picture of what is chosen; its choices are settled at once
  async paint() {
    this.fit();
    this.painting.abort(); // of the layer that nobody waits for any more
    this.painting = new AbortController();
    const ticket = ++this.ticket, layer = this.address, isOwn = this.$("scale").value === "own", { map } = this;
    say(this.$("message"), "");
    this.point(null, null);
    if (!isOwn) this.legend();
    try {
      const own = isOwn ? await this.ownScale(layer) : null;
      const picture = own ? own.picture : await (await ask(`api/v1/map/${layer}`, { signal: this.painting.signal })).blob();
      if (!(await this.put(ticket, layer, picture))) return; // a later choice is on its way
      this.lent = null;
      if (own) this.legend(own);
    } catch (error) {
      if (ticket !== this.ticket) return;
      map.layer.removeAttribute("href");
      map.places.replaceChildren();
      this.layer = map.layer.dataset.layer = "";
      if (!(error instanceof Refused)) throw error;
      say(this.$("message"), error.message, true);
    }
  }

  async put(ticket, layer, picture) {
    const { map, meta } = this, dots = meta.apart ? await dotsOf(picture, columns(meta), rows(meta)) : null;
    if (ticket !== this.ticket) return false;
    const before = map.layer.getAttribute("href");
    map.picture = picture;
    map.layer.setAttribute("href", URL.createObjectURL(picture));
    if (dots) map.points(dots);
    this.layer = layer;
    Object.assign(map.layer.dataset, { layer, scale: this.$("scale").value });
    if (before) URL.revokeObjectURL(before);
    return true;
  }

  // Losses that are no layer of the run, in place of the chosen one until the next choice.
  // values: a cell each, as `valuesOf`; words: {title, note, lacks: of a cell without a value}
  async lend(name, values, words) {
    const ticket = ++this.ticket, { meta } = this, told = { values, unsure: null, lacks: words.lacks }, breaks = ownBreaks(values, "aal");
    const own = { breaks, colours: spread(meta.scales.aal.colours, breaks.length + 1) };
    if (!(await this.put(ticket, name, await painted(told, columns(meta), own, meta)))) return;
    this.lent = told;
    this.$("caption").textContent = words.title;
    this.$("note").textContent = words.note;
    classes(this.$("legend"), words.title, own, meta.no_value, words.lacks);
  }

  // What the map shows, in a line
  title() {
    const { meta, quantity, risk, scenario, period, reference } = this.chosen();
    const what = { quantity: t(`quantity.${quantity}`), risk: capital(named_risk(risk)), scenario: scenarioName(meta, scenario), years: years(period) };
    return `${t("save.title", what)}${reference ? ` ${t("save.than", { than: windowName(meta, reference) })}` : ""}`;
  }

  // Above the map; a second map says if its years are others than those of the first
  tellCaption() {
    const of = ({ period }) => period.name, beside = this.on.beside(this), isOther = beside && of(beside.chosen()) !== of(this.chosen());
    this.$("caption").textContent = [this.title(), isOther ? t("second.other_years", { years: years(beside.chosen().period) }) : ""].filter(Boolean).join(". ");
  }

  legend(own = null) {
    this.tellCaption();
    legend(this.$("legend"), this.$("note"), this.chosen(), own);
  }

  // Classes over the values of a layer alone, and its picture in them
  async ownScale(layer) {
    if (!owns.has(layer)) owns.set(layer, await this.painted(layer));
    const own = owns.get(layer);
    for (const first of owns.keys()) if (owns.size > KEPT) owns.delete(first);
    return own;
  }

  async painted(layer) {
    const { quantity } = this.choices(), told = await valuesOf(this.meta, layer), breaks = ownBreaks(told.values, quantity);
    const { colours } = this.meta.scales[isDiverging(quantity) ? quantity : "aal"], own = { breaks, colours: spread(colours, breaks.length + 1) };
    return { ...own, picture: await painted(told, columns(this.meta), own, this.meta) };
  }

  // The value of the cell under the pointer, or under the marker that the keys move; null: neither is there
  async point(lat, lon) {
    const ticket = ++this.pointing, { layer, meta, lent } = this, quantity = lent ? "aal" : this.choices().quantity;
    const at = lat === null ? -1 : indexOf(meta, lat, this.map.counted(lon));
    if (!layer || at < 0) return say(this.$("pointed"), "");
    const told = lent ?? await valuesOf(meta, layer).catch((error) => { if (error instanceof Refused) return null; throw error; });
    if (ticket !== this.pointing || layer !== this.layer) return; // it has moved on
    const value = told?.values[at];
    if (value === undefined || value === -Infinity) return say(this.$("pointed"), "");
    const figure = Number.isNaN(value) ? (lent?.lacks ?? t("legend.too_few")) : t(`value.${quantity}`, { value: written(quantity, value) });
    const doubt = told.unsure?.[at] ? `, ${t("value.unsure")}` : "";
    say(this.$("pointed"), `${place(...this.map.middle(lat, lon))}: ${figure}${doubt}`);
  }
}
