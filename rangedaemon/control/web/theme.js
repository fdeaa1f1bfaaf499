// Runs before the first paint, so that a chosen theme does not flash in late.
"use strict";
(() => {
  const chosen = localStorage.getItem("rangedaemon.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
