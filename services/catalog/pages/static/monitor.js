// Figures that change without an event: their parts are read anew every ten seconds, while somebody looks.
import { replace } from "./live.js";

const EVERY_MS = 10000;

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-renew]")) replace(part, page.getElementById(part.id));
  } catch { /* away: the mark above says so */ }
}

setInterval(renew, EVERY_MS);
