// Requests to /api of the server that the page came from, with the key that the reader gave.

import { $ } from "./dom.js";
import { language } from "./texts.js";

// where the service is seen, whatever path a proxy shows it under
export const BASE = new URL("..", import.meta.url).href;

// The server's own sentence, in the language that was asked for
export class Refused extends Error {}

export async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { "Accept-Language": language, ...options.headers, ...(key ? { "X-API-Key": key } : {}) };
  const answer = await fetch(new URL(path, BASE), { ...options, headers });
  if (answer.ok) return answer;
  if (answer.status === 401 && $("keybox")) $("keybox").open = true;
  const { detail } = await answer.json().catch(() => ({ detail: answer.statusText }));
  throw new Refused(Array.isArray(detail) ? detail.map((fault) => fault.msg).join("; ") : detail);
}
