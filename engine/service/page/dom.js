// Elements and figures as they are written all over the page.

export const $ = (id) => document.getElementById(id);
export const words = (name) => name.replaceAll("_", " ");
export const percent = (ratio) => `${+(100 * ratio).toPrecision(3)} %`;

export function made(parent, tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}
