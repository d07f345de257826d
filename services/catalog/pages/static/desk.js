// The approval desk by keyboard, and how many products are chosen in the queue. All of it works by links and forms, too.

const KEYS = {
  n: () => document.getElementById("next")?.click(),
  a: () => document.querySelector("#refuse[open]") ?? document.getElementById("approve")?.click(),
  r: openRefusal,
  p: () => document.querySelector("#refuse[open] #preview")?.click(),
};

function openRefusal() {
  const refusal = document.getElementById("refuse");
  if (!refusal) return;
  refusal.open = true;
  refusal.querySelector("input[type=checkbox]").focus();
}

function chosen() {
  return document.querySelectorAll("[name^=pick-]:checked").length;
}

function count() {
  const told = document.getElementById("chosen");
  if (told) told.textContent = chosen() || "None";
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.getElementById("refuse")?.removeAttribute("open");
  const isTyping = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (isTyping || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  KEYS[event.key]?.();
  if (event.key === "r") event.preventDefault();
});
document.addEventListener("change", (event) => {
  if (event.target.name?.startsWith("pick-")) count();
});
document.addEventListener("click", (event) => {
  if (event.target.id !== "choose-all") return;
  const all = [...document.querySelectorAll("[name^=pick-]")];
  const wanted = chosen() < all.length;
  all.forEach((box) => { box.checked = wanted; });
  count();
});
count();
