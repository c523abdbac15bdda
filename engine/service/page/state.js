// What is shown, as the address says it: Back, Forward, reload and a link that was sent show it again.

const NAMES = { risk: "risk", quantity: "show", scenario: "scenario", period: "period", scale: "scale" };
export const CHOICES = Object.keys(NAMES);

// {risk, quantity, ..: text, at: [lat, lon], view: [lat, lon, zoom]}; what the address leaves open is absent, and a
// list that cannot be read is undefined
export function read() {
  const query = new URLSearchParams(location.search), state = {};
  for (const [name, word] of Object.entries(NAMES)) if (query.has(word)) state[name] = query.get(word);
  for (const [name, count] of [["at", 2], ["view", 3]]) {
    if (!query.has(name)) continue;
    const numbers = query.get(name).split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
    state[name] = numbers.length === count && numbers.every(Number.isFinite) ? numbers : undefined;
  }
  return state;
}

// state: as of `read`; a place or a view that is null is not in the address
export function address(state) {
  const url = new URL(location.href);
  for (const [name, word] of Object.entries(NAMES)) if (state[name]) url.searchParams.set(word, state[name]);
  for (const name of ["at", "view"]) {
    if (state[name]) url.searchParams.set(name, state[name].join(","));
    else url.searchParams.delete(name);
  }
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
