// On the map page: what a measure saves at the chosen site, and where the same building would lose less.

import { Refused } from "../ask.js";
import { $, made, say } from "../dom.js";
import { Elsewhere } from "./elsewhere.js";
import { MeasureForm } from "./form.js";
import { showWhatIf } from "./result.js";
import { posted } from "./server.js";
import { t } from "./text.js";

// request: () => the site of the form as the service takes it; panel: () => the first map
export function startWhatIf({ request, panel }) {
  const box = $("whatif");
  box.setAttribute("aria-label", t("title"));
  made(box, "h2", t("title"));
  made(box, "p", t("lead"));
  const sheet = made(box, "div", undefined, { class: "sheet" });
  const form = made(sheet, "form", undefined, { id: "measure" }), fields = new MeasureForm(form);
  made(form, "button", t("ask"));
  const side = made(sheet, "div"), told = made(side, "p", undefined, { role: "status", id: "whatif-step" });
  const result = made(side, "div", undefined, { id: "whatif-result" });
  let sent = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const ticket = ++sent, site = request();
    result.replaceChildren();
    if (site.latitude === undefined || site.longitude === undefined) return say(told, t("no_place"));
    say(told, t("computing"));
    try {
      const answer = await (await posted("api/v1/what-if", { site, measure: fields.measure() })).json();
      if (ticket !== sent) return;
      say(told, "");
      showWhatIf(result, answer, answer.results[0]);
      result.querySelector("h3").focus();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (ticket === sent) say(told, error.message, true);
    }
  });
  new Elsewhere(made(box, "div", undefined, { id: "elsewhere" }), { request, panel });
}
