// Elements and figures as they are written all over the page.

import { english, language, number } from "./texts.js";

export const $ = (id) => document.getElementById(id);
export const percent = (ratio) => `${+(100 * ratio).toPrecision(3)} %`;
export const short = (value) => number(+value.toPrecision(3)).replace("-", "−");
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const missing = (value) => value === null || value === undefined;

// Attributes of a text of the server's: in the reader's language, but where the catalogue does not know it
const spoken = (text) => (language === "ko" && /[가-힣]/.test(text ?? "") ? {} : english);

export function made(parent, tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== "lang" || value !== english.lang || spoken(text) === english) element.setAttribute(name, value);
  }
  parent.append(element);
  return element;
}

// The text of an element that says different things in turn; isServers: in the server's own words
export function say(element, text, isServers = false) {
  element.textContent = text;
  element.removeAttribute("lang");
  if (isServers) for (const [name, value] of Object.entries(spoken(text))) element.setAttribute(name, value);
}

// "{before}: {detail}." of the page's words and the server's, each in its language
export function mixed(parent, tag, parts, attributes = {}) {
  const element = made(parent, tag, undefined, attributes);
  for (const part of parts) {
    if (typeof part === "string") element.append(part);
    else made(element, "span", part.english, english);
  }
  return element;
}
