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

// A part of a form that is drawn anew keeps what was typed into it since it was asked for; a choice
// that is not offered any more does not come back.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  for (const old of event.detail.target.querySelectorAll("input[id], select[id], textarea[id]")) {
    const fresh = event.detail.fragment.querySelector(`#${CSS.escape(old.id)}`);
    if (!fresh || fresh.tagName !== old.tagName) continue;
    if (old.type === "checkbox" || old.type === "radio") fresh.checked = old.checked;
    else if (old.tagName !== "SELECT" || [...fresh.options].some((one) => one.value === old.value)) fresh.value = old.value;
  }
});
