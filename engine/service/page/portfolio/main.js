// From a file to results: look at it, correct its columns, assess it, show it. Everything comes from /api of the same server.

import { $, made } from "../dom.js";
import { faultTable } from "./faults.js";
import { Mapping } from "./mapping.js";
import { Results } from "./results.js";
import { ask, asked, follow, PORTFOLIO, Refused } from "./server.js";
import { ENGLISH, fill, LANGUAGE, LANGUAGES, nameScenarios, ofScope, period, said, scenario, t } from "./text.js";
import { put, stated } from "./url.js";

// what a file is called -> what it is; of others the server looks at the first bytes
const TYPES = {
  csv: "text/csv", tsv: "text/tab-separated-values", parquet: "application/vnd.apache.parquet", ndjson: "application/x-ndjson", jsonl: "application/x-ndjson",
  ods: "application/vnd.oasis.opendocument.spreadsheet", gz: "application/gzip", zst: "application/zstd", zip: "application/zip",
};
const LONGEST = 5000; // characters of a table of rates
const mapping = new Mapping(() => {
  $("again").classList.add("wanted");
  $("assess").disabled = true; // until the file was read with these columns
});
let file = null, rates = null, meta = null, results = null, looked = 0;

async function start() {
  fill();
  const other = LANGUAGE === "ko" ? "en" : "ko";
  $("language").hidden = !LANGUAGES.includes(other);
  $("language").lang = other;
  $("language").addEventListener("click", () => { $("language").href = linkIn(other); });
  $("language").href = linkIn(other);
  $("to-map").search = `?lang=${LANGUAGE}`;
  listen();
  try {
    meta = await asked("api/v1/map");
    ofScope(meta.scope);
    nameScenarios(meta.scenarios);
    choices();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
  }
  results = new Results(meta, say);
  document.body.dataset.ready = "true";
  await restore();
}

function linkIn(language) {
  const address = new URL(location.href);
  address.searchParams.set("lang", language);
  return address.href;
}

function say(text) {
  $("told").textContent = text;
}

// Refusals are told; anything else is a fault of ours and stays visible
async function guarded(work) {
  say("");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(said(error.message));
  }
}

function choices() {
  const box = (where, value, text, checked) => {
    const label = made($(where), "label", undefined, { class: "check" });
    const input = made(label, "input", undefined, { type: "checkbox", value, name: where });
    input.checked = checked;
    label.append(` ${text}`);
  };
  const windows = meta.periods.filter((each) => each.name !== "full");
  for (const each of meta.scenarios) box("scenarios", each.scenario_id, scenario(each.scenario_id), [2, 4].includes(each.scenario_id) || meta.scenarios.length === 1);
  for (const each of windows.length ? windows : meta.periods) box("periods", each.name, period(each.name, `${each.first}–${each.last}`), ["mid_term", "long_term"].includes(each.name) || !windows.length);
}

function listen() {
  // anywhere: a file that is dropped beside the box would replace the page
  for (const name of ["dragenter", "dragover"]) addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  for (const name of ["dragleave", "drop"]) addEventListener(name, () => $("drop").classList.remove("over"));
  addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
  $("file").addEventListener("change", () => take($("file").files[0]));
  $("file-form").addEventListener("submit", (event) => { event.preventDefault(); if (file) guarded(look); });
  $("sheet").addEventListener("change", () => { if (file) guarded(look); });
  $("rates").addEventListener("change", () => guarded(async () => {
    rates = (await $("rates").files[0]?.text())?.trim() || null;
    if (rates?.length > LONGEST) {
      rates = null;
      return say(t("check.rates_long", { most: LONGEST.toLocaleString() }));
    }
    await look();
  }));
  $("again").addEventListener("click", () => {
    const twice = mapping.settle();
    if (twice) say(t("check.twice", { field: t(`field.${twice}`) }));
    else guarded(look);
  });
  $("assess-form").addEventListener("submit", (event) => { event.preventDefault(); guarded(assess); });
  $("keyform").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("key", $("key").value);
    location.reload();
  });
  addEventListener("popstate", () => location.reload());
}

function take(chosen) {
  if (!chosen) return;
  file = chosen;
  rates = null;
  $("rates").value = "";
  $("rates-box").hidden = true;
  mapping.forget();
  guarded(look);
}

function send(path, query) {
  const ending = file.name.toLowerCase().split(".").pop(), parameters = new URLSearchParams(query);
  const columns = mapping.stated();
  if (columns) parameters.set("columns", columns);
  if ($("sheet").value.trim()) parameters.set("sheet", $("sheet").value.trim());
  if (rates) parameters.set("rates", rates);
  const headers = { "Content-Type": TYPES[ending] ?? "application/octet-stream" };
  return ask(`${path}?${parameters}`, { method: "POST", body: file, headers });
}

async function look() {
  const turn = ++looked;
  $("check").hidden = true;
  say(t("send.reading", { name: file.name }));
  const told = await (await send(`${PORTFOLIO}/preview`)).json();
  if (turn !== looked) return; // another file, or another reading of it, is on its way
  say("");
  $("check").hidden = false;
  $("again").classList.remove("wanted");
  mapping.show(told);
  $("question").hidden = told.question === null;
  $("question").textContent = told.question === null ? "" : t("check.question", { question: questionOf(told) });
  if (told.currencies_without_rate.length) $("rates-box").hidden = false;
  const counts = { name: file.name, rows: told.rows?.toLocaleString(), valid: told.valid?.toLocaleString() };
  $("counted").textContent = told.question === null ? t("check.counted", counts) : t("check.open", counts);
  $("notes").replaceChildren();
  for (const note of told.notes) made($("notes"), "li", note, ENGLISH);
  faultTable($("check-faults"), told.faults, told.faults_total);
  $("assess").disabled = told.question !== null || !told.valid;
}

// What a reader of the page can do about it; else in the server's words
function questionOf({ question, currencies_without_rate: lacking }) {
  return lacking.length ? t("check.no_rate", { currencies: lacking.join(", ") }) : said(question);
}

async function assess() {
  const query = new URLSearchParams(), picked = (name) => [...document.querySelectorAll(`input[name=${name}]:checked`)].map((input) => input.value);
  const scenarios = picked("scenarios"), periods = picked("periods");
  if (!scenarios.length || !periods.length) return say(t("check.choose"));
  for (const each of scenarios) query.append("scenario_ids", each);
  for (const each of periods) query.append("time_periods", each);
  query.set("name", $("name").value.trim() || file.name.replace(/\.[^.]+$/, ""));
  const accepted = await (await send(PORTFOLIO, query)).json();
  $("check").hidden = true;
  $("results").hidden = true;
  put({ id: accepted.request_id, scenario: null, period: null, site: null }, true);
  await restore();
}

// The portfolio of the address: followed to its end, then shown
async function restore() {
  const wanted = stated();
  if (!wanted.id) return;
  await guarded(async () => {
    const { status } = await asked(`api/v1/risk-assessment/status/${encodeURIComponent(wanted.id)}`);
    if (["queued", "running"].includes(status)) {
      $("running").hidden = false;
      await follow(wanted.id, progress);
    }
    $("running").hidden = true;
    const job = await asked(`api/batch/${encodeURIComponent(wanted.id)}/status`);
    if (job.status === "failed") say(said(job.error_message ?? t("status.failed")));
    await results.show(wanted.id, job.results?.invalid_sites ?? [], wanted);
    $("portfolio-name").focus();
  });
}

function progress(state) {
  if (state.progress !== undefined) $("progress").value = state.progress;
  const found = /^Calculating (E|V|AAL) for (\w+)/.exec(state.step ?? "");
  const step = found ? t(`step.${found[1]}`, { risk: t(`risk.${found[2]}`) }) : said(state.step);
  $("step").textContent = t("running.step", { percent: state.progress ?? 0, step });
}

start();
