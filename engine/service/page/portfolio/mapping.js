// What each column of the file is read as, shown with first values, to be corrected before anything is computed.

import { $, made } from "../dom.js";
import { has, missing, NONE, t } from "./text.js";

const FIRST = ["latitude", "longitude", "total_asset_value", "name", "site_id"];

export class Mapping {
  // onChange: called when somebody has corrected a column
  constructor(onChange) {
    this.onChange = onChange;
    this.forget();
  }

  forget() {
    this.given = {}; // field -> column, or "-" for a field that no column is
  }

  // told: answer of the preview
  show(told) {
    this.columns = told.columns;
    const order = (each) => (FIRST.includes(each.field) ? FIRST.indexOf(each.field) : FIRST.length);
    this.fields = told.fields.slice().sort((a, b) => order(a) - order(b));
    $("mapping").replaceChildren();
    const table = made($("mapping"), "table"), head = made(made(table, "thead"), "tr"), body = made(table, "tbody");
    for (const name of ["column", "field", "first", "hint"]) made(head, "th", t(`check.${name}`), { scope: "col" });
    told.columns.forEach((column, place) => {
      const line = made(body, "tr");
      made(line, "th", column.column, { scope: "row" });
      this.select(made(line, "td"), column);
      const values = told.first_rows.map((row) => row.values[place]).filter((value) => !missing(value) && value !== "");
      made(line, "td", values.slice(0, 3).join(" · ") || NONE, { class: "values" });
      made(line, "td", this.hint(column));
    });
  }

  select(cell, column) {
    const select = made(cell, "select", undefined, { "aria-label": t("check.field_of", { column: column.column }), "data-column": column.column });
    made(select, "option", t("check.carried"), { value: "" });
    for (const { field, unit } of this.fields) made(select, "option", unit ? t("check.unit", { field: t(`field.${field}`), unit: t(has(`unit.${unit}`) ? `unit.${unit}` : "unit.money") }) : t(`field.${field}`), { value: field });
    select.value = column.field ?? "";
    select.addEventListener("change", this.onChange);
  }

  hint(column) {
    if (column.factor !== 1) return t("check.factor", { factor: column.factor.toLocaleString() });
    return column.near ? t("check.near", { field: t(`field.${column.near}`) }) : "";
  }

  // Take what is chosen now; the field that two columns are, if there is one. Not while somebody chooses: a key pressed
  // in a list passes over other fields
  settle() {
    const chosen = new Map(), given = { ...this.given };
    for (const [place, select] of [...$("mapping").querySelectorAll("select")].entries()) {
      const { column, field, near } = this.columns[place];
      if (select.value && chosen.has(select.value)) return select.value;
      if (select.value) chosen.set(select.value, column);
      if (field && field !== select.value) given[field] = "-";
      if (near && !select.value && !(near in given)) given[near] = "-"; // asked about, and left as it is
      if (select.value && field !== select.value) given[select.value] = column;
    }
    for (const [field, column] of chosen) if (given[field] === "-") given[field] = column;
    this.given = given;
    return null;
  }

  // for the query; null where nothing was corrected
  stated() {
    return Object.keys(this.given).length ? JSON.stringify(this.given) : null;
  }
}
