// Brings new mails into the list while the page is open; the mail being read stays as it is.
"use strict";

async function refresh() {
  const count = document.getElementById("count");
  const { mails } = await (await fetch("/readyz")).json();
  if (String(mails) === count.dataset.total) return;
  const fresh = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const wasEmpty = !document.querySelector(".mail");
  for (const part of wasEmpty ? ["main", "#count"] : ["#list", "#count"]) {
    document.querySelector(part).replaceWith(fresh.querySelector(part));
  }
}

setInterval(() => {
  if (!document.hidden) refresh().catch(() => {}); // the sink is away for a moment; the next round asks again
}, 2000);
