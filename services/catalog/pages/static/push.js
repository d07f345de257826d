// Web push on this device: asked for by a button, never by itself.
import { say } from "./app.js";

const part = document.getElementById("push");

/** What the browser subscribes with, as bytes: base64url without padding. */
function bytes(key) {
  const text = atob(key.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function isOurs(subscription) {
  const key = subscription?.options.applicationServerKey;
  return Boolean(key) && String(new Uint8Array(key)) === String(bytes(part.dataset.key));
}

function nameOfBrowser() {
  const agent = navigator.userAgent;
  const browser = ["Edg", "OPR", "Firefox", "Chrome", "Safari"].find((name) => agent.includes(name)) ?? "A browser";
  const system = ["Android", "iPhone", "iPad", "Windows", "Mac", "Linux"].find((name) => agent.includes(name));
  const spoken = { Edg: "Edge", OPR: "Opera" }[browser] ?? browser;
  return system ? `${spoken} on ${system}` : spoken;
}

async function keep(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const answer = await fetch("/api/push-subscriptions", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": part.dataset.token },
    body: JSON.stringify({ endpoint, keys, name: nameOfBrowser() }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  remember(told.id);
}

function remember(id) {
  try {
    if (id) localStorage.setItem("push", id);
    else localStorage.removeItem("push");
  } catch { /* the list of browsers has it, too */ }
}

async function subscribe(worker) {
  if (await Notification.requestPermission() !== "granted") throw new Error("The browser does not allow it.");
  const old = await worker.pushManager.getSubscription();
  if (old && !isOurs(old)) await old.unsubscribe();
  const wanted = { userVisibleOnly: true, applicationServerKey: bytes(part.dataset.key) };
  await keep(await worker.pushManager.subscribe(wanted));
  say("This device is told from now on.");
}

async function unsubscribe(worker) {
  await (await worker.pushManager.getSubscription())?.unsubscribe();
  const id = localStorage.getItem("push");
  if (id) await fetch(`/api/push-subscriptions/${id}`, { method: "DELETE", headers: { "X-CSRF-Token": part.dataset.token } });
  remember(null);
  say("This device is told no more.");
}

async function begin() {
  const [on, off, said] = ["on", "off", "said"].map((name) => part.querySelector(`[data-push-${name}]`));
  if (!("serviceWorker" in navigator && "PushManager" in window)) {
    said.textContent = "This browser cannot show them.";
    return;
  }
  await navigator.serviceWorker.register("/push-worker.js");
  const worker = await navigator.serviceWorker.ready;

  async function show() {
    const subscription = await worker.pushManager.getSubscription();
    on.hidden = isOurs(subscription);
    off.hidden = !on.hidden;
    said.textContent = Notification.permission === "denied" ? "The browser does not allow it; its settings do." : "";
  }

  function at(button, act) {
    button.addEventListener("click", async () => {
      button.setAttribute("aria-busy", "true");
      try {
        await act(worker);
        location.reload();
      } catch (error) {
        say(error.message, "warn");
      }
      button.removeAttribute("aria-busy");
    });
  }

  at(on, subscribe);
  at(off, unsubscribe);
  await show();
}

if (part) begin().catch(() => { part.querySelector("[data-push-said]").textContent = "This browser cannot show them here."; });
