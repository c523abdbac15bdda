// The service behind the page: its answers, the progress of a job, its files.

import { ask, BASE, Refused } from "../ask.js";
import { language } from "../texts.js";

export { ask, BASE, Refused };
export const PORTFOLIO = "api/v1/risk-assessment/portfolio";
const key = () => sessionStorage.getItem("key");

export const asked = async (path) => (await ask(path)).json();

// Messages of a job until its end, which is the value; `tell` takes each
export function follow(id, tell) {
  const own = key(), bytes = new TextEncoder().encode(own ?? "");
  const safe = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const address = new URL(`api/v1/risk-assessment/ws/${id}?lang=${language}`, BASE.replace(/^http/, "ws"));
  return new Promise((resolve) => {
    const open = () => {
      const socket = new WebSocket(address, own ? [`key.${safe}`] : []);
      let ended = false;
      socket.onmessage = ({ data }) => {
        const state = JSON.parse(data);
        ended = !["queued", "running"].includes(state.status);
        if (ended) resolve(state);
        else tell(state);
      };
      socket.onclose = () => { if (!ended) setTimeout(open, 2000); }; // the job goes on without us
    };
    open();
  });
}

// A file of the service; with a key a plain link would be refused
export function download(link) {
  link.addEventListener("click", async (event) => {
    if (!key() || link.href.startsWith("blob:")) return;
    event.preventDefault();
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(await (await ask(link.href)).blob());
    saved.download = link.download;
    saved.click();
    URL.revokeObjectURL(saved.href);
  });
}
