// The form of a measure: fields that it sets, the share of a loss that it prevents, what it costs.

import { made } from "../dom.js";
import { field, has, risk, t } from "./text.js";

// fields that a measure may set, and the kind of their values: first those whose change lowers the loss of most buildings
const KINDS = {
  floors_below: "number", has_piloti: "flag", insurance_coverage_rate: "number", building_age: "number", structure: "text",
  main_purpose: "text", floors_above: "number", has_seismic_design: "flag", fire_access: "flag", has_water_tank: "flag", water_supply_available: "flag",
  in_flood_zone: "flag", floor_area: "number", total_asset_value: "number", elevation: "number", first_floor_height_m: "number", imperviousness_ratio: "number", vegetation_ratio: "number",
  landcover_type: "text", distance_to_river_m: "number", distance_to_coast_m: "number", distance_to_forest_m: "number", annual_rainfall_mm: "number", cdd_days: "number",
};
const RISKS = ["river_flood", "urban_flood", "sea_level_rise", "typhoon", "wildfire", "water_stress", "drought", "extreme_heat", "extreme_cold"];
const COST = ["per_site", "total", "upkeep_per_site", "discount_rate", "years"];

let hints = 0; // that stand on the page: each has an id

// A number as people write it; what is none goes out as it was written, so that it is refused by name
function numberOf(text) {
  const plain = text.trim().replaceAll(",", "");
  return Number.isFinite(Number(plain)) ? Number(plain) : text;
}

function valueOf(control, kind) {
  if (control.value.trim() === "") return undefined;
  if (kind === "flag") return control.value === "true";
  return kind === "number" ? numberOf(control.value) : control.value.trim();
}

// Lines of a choice and a value, as many as are wanted
class Lines {
  // words: keys of the catalogue {title, add, choice, value}; options: [value, text]; control: (holder, choice, label) -> an input;
  // hint: choice -> when it matters
  constructor(box, words, options, control, hint) {
    Object.assign(this, { words, options, control, hint });
    const set = made(box, "fieldset");
    made(set, "legend", t(words.title));
    this.box = made(set, "div", undefined, { class: "lines" });
    const more = made(set, "button", t(words.add), { type: "button", class: "link" });
    more.addEventListener("click", () => this.add().querySelector("select").focus());
  }

  add(first = this.options[0][0]) {
    const line = made(this.box, "div", undefined, { class: "line" });
    const choice = made(line, "select", undefined, { "aria-label": t(this.words.choice) });
    for (const [value, text] of this.options) made(choice, "option", text, { value });
    choice.value = first;
    const holder = made(line, "span"), hint = this.hint && made(line, "p", undefined, { class: "note", id: `hint-${++hints}` });
    const renew = () => {
      holder.replaceChildren();
      this.control(holder, choice.value, t(this.words.value, { name: choice.selectedOptions[0].textContent }));
      if (!hint) return;
      hint.textContent = this.hint(choice.value);
      holder.firstChild.setAttribute("aria-describedby", hint.id);
    };
    choice.addEventListener("change", renew);
    renew();
    const gone = made(line, "button", "×", { type: "button", class: "link", "aria-label": t("line.remove") });
    if (hint) line.append(hint);
    gone.addEventListener("click", () => { line.remove(); });
    return line;
  }

  // [choice, control of its value]
  entries() {
    return [...this.box.children].map((line) => [line.querySelector("select").value, line.querySelector("span > *")]);
  }
}

export class MeasureForm {
  // whole: the measure may cost something in all, as that of a portfolio may
  constructor(box, { whole = false } = {}) {
    const label = (parent, text, attributes) => {
      const holder = made(parent, "label", text);
      return made(holder, "input", undefined, { autocomplete: "off", ...attributes });
    };
    this.name = label(box, t("measure.name"), { maxlength: 200 });
    this.name.value = t("measure.default");
    this.sets = new Lines(box, { title: "set.title", add: "set.add", choice: "set.field", value: "set.value" }, Object.keys(KINDS).map((name) => [name, field(name)]), (holder, name, text) => {
      if (KINDS[name] !== "flag") return made(holder, "input", undefined, { "aria-label": text, autocomplete: "off", ...(name === "floors_below" ? { placeholder: "0" } : {}) });
      const control = made(holder, "select", undefined, { "aria-label": text });
      for (const each of ["true", "false"]) made(control, "option", t(`flag.${each}`), { value: each });
      return control;
    }, (name) => t(has(`hint.${name}`) ? `hint.${name}` : "hint.other"));
    this.sets.add();
    this.prevents = new Lines(box, { title: "prevents.title", add: "prevents.add", choice: "prevents.risk", value: "prevents.share" }, RISKS.map((name) => [name, risk(name)]), (holder, name, text) => made(holder, "input", undefined, { "aria-label": text, inputmode: "decimal", autocomplete: "off", placeholder: "%" }));
    this.prevents.add();
    const set = made(box, "fieldset", undefined, { class: "cost" });
    made(set, "legend", t("cost.title"));
    this.cost = Object.fromEntries(COST.filter((name) => whole || name !== "total").map((name) => [name, label(set, t(whole ? `cost.${name}` : `cost.one.${name}`), { inputmode: "decimal" })]));
    this.cost.discount_rate.value = "4.5";
    this.cost.years.value = "30";
  }

  // As the service takes it
  measure() {
    const told = { name: this.name.value.trim() || t("measure.default"), set: {}, prevents: {}, cost: {} };
    for (const [name, control] of this.sets.entries()) {
      const value = valueOf(control, KINDS[name]);
      if (value !== undefined) told.set[name] = value;
    }
    for (const [name, control] of this.prevents.entries()) {
      const share = valueOf(control, "number");
      if (share !== undefined) told.prevents[name] = typeof share === "number" ? share / 100 : share;
    }
    for (const [name, control] of Object.entries(this.cost)) {
      const amount = valueOf(control, "number");
      if (amount !== undefined) told.cost[name] = name === "discount_rate" && typeof amount === "number" ? amount / 100 : amount;
    }
    return told;
  }
}
