// Being live: one feed for a page. What an event makes stale is read anew from the page's own address and put in place,
// so that there is one way in which anything is drawn: the server's.
//
// <section id="stock" data-live="stock product" data-about="…id…">: this part is stale after an event of these names,
// if `data-about` is given only after one that names the id. With `data-every="20"` it is stale every 20 seconds, too.

const QUIET_MS = 250; // events that come together are one reading
const APART_MS = 1500; // readings are no closer than this
const HIDDEN_MS = 60000; // a page that nobody sees gives its connection back

let source = null;
let lastId = "";
let timer = 0;
let readAt = 0;
const stale = new Set();

/** Follow a feed for as long as the page is seen. */
export function follow(address, { say, refreshed }) {
  // What nothing tells of is looked at again after so many seconds, while the page shows it to be under way.
  setInterval(() => {
    const passed = Date.now() - readAt;
    if (!document.hidden) mark((part) => part.dataset.again && passed > part.dataset.again * 1000);
  }, 1000);
  const names = new Set(["ready", "reset", "live", "end", "decision"]);
  for (const part of document.querySelectorAll("[data-live]")) part.dataset.live.split(" ").forEach((name) => names.add(name));

  function open() {
    if (source) return;
    const from = lastId ? `${address.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(lastId)}` : "";
    source = new EventSource(address + from);
    source.onerror = () => show("paused");
    names.forEach((name) => source.addEventListener(name, hear));
  }

  function close() {
    source?.close();
    source = null;
  }

  function hear(event) {
    lastId = event.lastEventId || lastId;
    const told = JSON.parse(event.data);
    if (event.type === "ready" || event.type === "live") return show(told.live ? "live" : "paused");
    if (event.type === "end") return close() ?? location.reload();
    if (event.type === "reset") {
      show(told.live ? "live" : "paused");
      return mark(() => true);
    }
    if (event.type === "decision") say(`${told.decision === "approved" ? "Approved" : "Changes needed"}: ${told.title}`, told.decision === "approved" ? "good" : "warn");
    document.dispatchEvent(new CustomEvent("souk:told", { detail: { name: event.type, told } }));
    mark((part) => part.dataset.live.split(" ").includes(event.type) && concerns(part, told));
  }

  function mark(isStale) {
    for (const part of document.querySelectorAll("[data-live]")) if (isStale(part)) stale.add(part.id);
    if (stale.size && !timer) timer = setTimeout(read, Math.max(QUIET_MS, readAt + APART_MS - Date.now()));
  }

  async function read() {
    timer = 0;
    readAt = Date.now();
    const wanted = [...stale];
    stale.clear();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of wanted) replace(document.getElementById(id), page.getElementById(id));
      refreshed();
    } catch { /* away: the feed says so, and tells all anew when it is back */ }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(follow.hiding);
    if (document.hidden) follow.hiding = setTimeout(close, HIDDEN_MS);
    else open();
  });
  for (const every of new Set([...document.querySelectorAll("[data-every]")].map((part) => part.dataset.every)))
    setInterval(() => document.hidden || mark((part) => part.dataset.every === every), every * 1000);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

/** Put the new part where the old one is, unless somebody is at work in it. */
export function replace(old, fresh) {
  if (!old || !fresh || old.innerHTML === fresh.innerHTML || isInUse(old)) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const fold of old.querySelectorAll("details[id]")) {
    const again = fresh.querySelector(`[id="${fold.id}"]`);
    if (again) again.open = fold.open;
  }
  old.replaceWith(document.adoptNode(fresh));
  if (!("calm" in fresh.dataset)) fresh.classList.add("changed");
  if (focused) document.getElementById(focused)?.focus();
}

function isInUse(part) {
  const edited = [...part.querySelectorAll("input:not([type=hidden]), textarea")]
    .some((field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked);
  return edited || part.querySelector("details:is(.ask, .more)[open]") !== null || (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"));
}

function concerns(part, told) {
  const about = part.dataset.about;
  return !about || Object.values(told).flat().includes(about);
}

function show(state) {
  const mark = document.getElementById("live");
  if (!mark) return;
  mark.dataset.state = state;
  mark.firstElementChild.textContent = state === "live" ? "Live" : "Not live";
}
