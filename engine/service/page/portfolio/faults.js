// What is wrong with the rows of a file, a line a fault, numbered as the reader's own program numbers them.

import { made } from "../dom.js";
import { has, NONE, said, t } from "./text.js";

// faults: [{row, column, field, value, reason}], total: how many there are
export function faultTable(box, faults, total) {
  box.replaceChildren();
  if (!total) return;
  made(box, "h3", t("faults.count", { count: total }));
  const region = made(box, "div", undefined, { class: "wide faults", tabindex: "0", role: "region", "aria-label": t("faults.title") });
  const table = made(region, "table"), head = made(made(table, "thead"), "tr"), body = made(table, "tbody");
  for (const name of ["row", "column", "value", "reason"]) made(head, "th", t(`faults.${name}`), { scope: "col" });
  for (const fault of faults) {
    const line = made(body, "tr");
    made(line, "th", fault.row, { scope: "row" });
    const field = fault.field && has(`field.${fault.field}`) ? t(`field.${fault.field}`) : fault.field;
    for (const text of [fault.column ?? field ?? NONE, fault.value ?? NONE, said(fault.reason)]) made(line, "td", text);
  }
  if (total > faults.length) made(box, "p", t("faults.more", { shown: faults.length, total }), { class: "note" });
}
