// Texts in the reader's language: ?lang=, else the browser's. Each stands in texts/LANGUAGE.json and nowhere else.

// of the document: what the country offers
export const LANGUAGES = document.documentElement.dataset.languages.split(" ");
const wanted = [new URLSearchParams(location.search).get("lang"), ...navigator.languages.map((each) => each.slice(0, 2).toLowerCase())];
export const language = wanted.find((each) => LANGUAGES.includes(each)) ?? LANGUAGES[0];
const answer = await fetch(new URL(`texts/${language}.json`, import.meta.url));
if (!answer.ok) throw new Error(`texts/${language}.json: ${answer.status}`);
const catalogue = await answer.json();

// attributes of an element whose text the server has in English alone
export const english = language === "en" ? {} : { lang: "en" };

// A text with its {names} replaced
export function t(key, values = {}) {
  if (!(key in catalogue)) throw new Error(`texts/${language}.json has no ${key}`);
  return catalogue[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// What the server calls by a name of its own, such as a field; a name that has no text stays as it is
export const named = (kind, name) => (`${kind}.${name}` in catalogue ? t(`${kind}.${name}`) : name.replaceAll("_", " "));
export const risk = (name) => named("risk", name);
export const number = (value) => value.toLocaleString(language);

// data-text: the text of an element; data-label: its name for a screen reader; data-hint: of an empty field
export function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-hint]")) element.setAttribute("placeholder", t(element.dataset.hint));
}

// Links to the same page in the other languages; address: () => URL of what is shown now
export function switcher(box, address) {
  for (const each of LANGUAGES) {
    const link = document.createElement("a");
    link.textContent = t(`language.${each}`);
    link.lang = link.hreflang = each;
    const target = () => { const url = address(); url.searchParams.set("lang", each); return url.href; };
    link.href = target();
    if (each === language) link.setAttribute("aria-current", "true");
    for (const event of ["focus", "pointerdown", "click"]) link.addEventListener(event, () => { link.href = target(); });
    box.append(link);
  }
}
