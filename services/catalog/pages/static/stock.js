// Counts typed over in the list are saved in place. Without scripts the same forms are sent as forms.
import { say } from "./app.js";

async function save(form) {
  const { on_hand: field, expected_on_hand: expected, csrf_token: token } = form.elements;
  const answer = await fetch(form.dataset.address, {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token.value },
    body: JSON.stringify({ on_hand: Number(field.value), expected_on_hand: Number(expected.value) }),
  });
  const told = await answer.json();
  if (answer.ok) {
    expected.value = field.value = field.defaultValue = String(told.on_hand);
    say(`${told.title}: ${told.on_hand} ${told.on_hand === 1 ? "piece" : "pieces"}.`);
  } else {
    say(told.detail, "warn");
    const now = told.errors?.find((error) => error.code === "stale_quantity");
    if (now) expected.value = field.value = field.defaultValue = now.detail;
  }
}

// Listened to above the list, which is put in place anew whenever it is stale.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form.count");
  if (!form) return;
  event.preventDefault();
  save(form).catch(() => say("The connection broke off. Nothing was saved.", "bad"));
}, true);
