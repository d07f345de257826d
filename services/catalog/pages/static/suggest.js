// Suggestions below a search field, by the pattern of a combobox with a list box:
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

const WAIT_MS = 120;

/** Offer what `data-suggest` answers to the letters typed: [{title, detail, url}]. */
export function suggest(field) {
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = `${field.id}-suggestions`;
  list.role = "listbox";
  list.ariaLabel = "Suggestions";
  list.hidden = true;
  field.after(list);
  field.role = "combobox";
  field.ariaExpanded = "false";
  field.ariaAutoComplete = "list";
  field.setAttribute("aria-controls", list.id);

  let timer = 0;
  let asked = null;
  let chosen = -1;

  function show(found) {
    chosen = -1;
    field.removeAttribute("aria-activedescendant");
    list.replaceChildren(...found.map(line));
    list.hidden = found.length === 0;
    field.ariaExpanded = String(!list.hidden);
  }

  function line({ title, detail, url }, index) {
    const item = document.createElement("li");
    item.id = `${list.id}-${index}`;
    item.role = "option";
    item.ariaSelected = "false";
    item.dataset.url = url;
    item.append(
      Object.assign(document.createElement("span"), { textContent: title }),
      Object.assign(document.createElement("span"), { textContent: detail, className: "muted small" }),
    );
    return item;
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const text = field.value.trim();
    if (text.length < 3) return show([]); // fewer find too much
    try {
      const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(text)}`, { signal: asked.signal });
      if (answer.ok && document.activeElement === field) show((await answer.json()).items);
    } catch { /* typed on, or away: the search itself says what is wrong */ }
  }

  function choose(step) {
    const lines = [...list.children];
    if (!lines.length) return;
    chosen = (chosen + step + lines.length + (chosen < 0 && step < 0 ? 1 : 0)) % lines.length;
    lines.forEach((item, index) => { item.ariaSelected = String(index === chosen); });
    field.setAttribute("aria-activedescendant", lines[chosen].id);
    lines[chosen].scrollIntoView({ block: "nearest" });
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") show([]);
    else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      location.assign(list.children[chosen].dataset.url);
    }
  });
  field.addEventListener("blur", () => setTimeout(() => show([]), 150));
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (item) location.assign(item.dataset.url);
  });
}
