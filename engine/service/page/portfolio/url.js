// What is shown stands in the address: a reload or a link shows the same.

// wanted: name -> value; null takes it away
export function put(wanted, push = false) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(wanted)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  if (address.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", address);
}

export function stated() {
  const asked = new URLSearchParams(location.search);
  const number = (name) => (asked.has(name) ? Number(asked.get(name)) : null);
  return { id: asked.get("id"), scenario: number("scenario"), period: asked.get("period"), site: number("site") };
}
