// What every page has: theme, times, toasts, forms that are sent once, suggestions, and being live.
import { follow } from "./live.js";
import { suggest } from "./suggest.js";

const UNITS = [["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

/** Say something in the corner, for as long as it takes to read. */
export function say(text, tone = "good") {
  const toast = document.createElement("div");
  toast.className = `toast ${tone}`;
  toast.append(Object.assign(document.createElement("p"), { textContent: text }));
  document.getElementById("toasts").append(toast);
  leave(toast);
}

function leave(toast) {
  setTimeout(() => toast.remove(), 4000 + 40 * toast.textContent.length);
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? [];
    const count = Math.floor(seconds / size);
    time.textContent = unit ? `${count} ${unit}${count === 1 ? "" : "s"} ago` : "just now";
  }
}

function toggleTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch { /* it holds for this page */ }
}

/** A form that is on its way is not sent again by an impatient second click. */
function sendOnce(event) {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented || event.submitter?.formTarget) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-busy", "true"));
}

/** The browser may show a page again as it was left. */
function wakeForms() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelectorAll("button").forEach((button) => button.removeAttribute("aria-busy"));
  }
}

/** Who signs out leaves no pushes behind on a device that others may use: the push service tells us that it is gone. */
async function unsubscribe() {
  const worker = await navigator.serviceWorker.getRegistration();
  await (await worker?.pushManager.getSubscription())?.unsubscribe();
}

function signOut(event) {
  const form = event.target;
  if (form.getAttribute("action") !== "/logout" || !navigator.serviceWorker?.controller) return;
  event.preventDefault();
  Promise.race([unsubscribe(), new Promise((over) => setTimeout(over, 1000))]).catch(() => {}).finally(() => form.submit());
}

document.addEventListener("submit", signOut);
document.addEventListener("submit", sendOnce);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && document.getElementById("search")) {
    event.preventDefault();
    document.getElementById("search").focus();
  }
});
addEventListener("pageshow", wakeForms);
document.querySelectorAll(".toast").forEach(leave);
document.querySelectorAll("[data-suggest]").forEach(suggest);
document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
tellTimes();
setInterval(tellTimes, 20000);
if (document.body.dataset.feed) follow(document.body.dataset.feed, { say, refreshed: tellTimes });
