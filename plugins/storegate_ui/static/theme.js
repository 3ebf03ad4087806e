// Light, dark, or what the system says. Not a module: it runs before the page is drawn, so that nothing flashes.
(() => {
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const NAMES = { auto: "Auto", light: "Light", dark: "Dark" };
  const root = document.documentElement;

  function stored() {
    try {
      const theme = localStorage.getItem("storegate-theme");
      return theme in NEXT ? theme : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  }

  function apply(theme) {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
    const name = document.getElementById("theme-name");
    if (name) name.textContent = NAMES[theme];
    dispatchEvent(new Event("themechange"));
  }

  apply(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));
  addEventListener("DOMContentLoaded", () => {
    apply(stored());
    document.getElementById("theme").addEventListener("click", () => {
      const theme = NEXT[stored()];
      try {
        localStorage.setItem("storegate-theme", theme);
      } catch {
        // it holds for this page then
      }
      apply(theme);
    });
  });
})();
