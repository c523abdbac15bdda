// What is shown, as the address says it: Back, Forward, reload and a link that was sent show it again.

const NAMES = { risk: "risk", quantity: "show", scenario: "scenario", period: "period", scale: "scale", than_scenario: "than", than_period: "than_period" };
export const CHOICES = Object.keys(NAMES);
const SECOND = "2"; // behind the names of the second map, which is there if its risk is
const WORDS = ["", SECOND].flatMap((suffix) => Object.entries(NAMES).map(([name, word]) => [name + suffix, word + suffix]));

// {risk, quantity, .., risk2, ..: text, at: [lat, lon], view: [lat, lon, zoom]}; what the address leaves open is absent,
// and a list that cannot be read is undefined
export function read() {
  const query = new URLSearchParams(location.search), state = {};
  for (const [name, word] of WORDS) if (query.has(word)) state[name] = query.get(word);
  for (const [name, count] of [["at", 2], ["view", 3]]) {
    if (!query.has(name)) continue;
    const numbers = query.get(name).split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
    state[name] = numbers.length === count && numbers.every(Number.isFinite) ? numbers : undefined;
  }
  return state;
}

// state: as of `read`; what it does not hold is not in the address
export function address(state) {
  const url = new URL(location.href);
  const put = (word, text) => (text ? url.searchParams.set(word, text) : url.searchParams.delete(word));
  for (const [name, word] of WORDS) put(word, state[name]);
  for (const name of ["at", "view"]) put(name, state[name]?.join(","));
  url.search = url.search.replaceAll("%2C", ",");
  return url;
}

// isStep: Back leads to what was shown before; a view alone is no step
export function write(state, isStep) {
  const { href } = address(state);
  if (href === location.href) return;
  if (isStep) history.pushState(null, "", href);
  else history.replaceState(null, "", href);
}
