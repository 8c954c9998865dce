// Runs before the first paint: a page that follows the device gets its colours without a flash.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    if (root.dataset.theme === "auto") root.dataset.bsTheme = dark.matches ? "dark" : "light";
    root.dispatchEvent(new CustomEvent("themechange"));
  };
  dark.addEventListener("change", follow);
  follow();
})();
