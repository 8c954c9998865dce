// Keys (`/`, `?`, `g s`), focus on a form's errors, menus that close. Every page works without it.
const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
let before = "";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if (typing(event.target)) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
  } else if (event.key === "?") {
    document.getElementById("keys")?.showPopover?.();
  } else if (before === "g" && event.key === "s") {
    document.querySelector(".brand")?.click();
  }
  before = event.key;
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Only errors that have just come: a price or a kept draft that arrives must not take the focus away.
const showErrors = (part) => part.querySelector("[data-error-summary]")?.focus();
showErrors(document);
document.addEventListener("htmx:afterSettle", (event) => showErrors(event.target));
