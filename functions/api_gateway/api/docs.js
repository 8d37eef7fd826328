"use strict";
(() => {
  const box = document.getElementById("find");
  const found = document.getElementById("found");
  const routes = [...document.querySelectorAll("details.route, details.schema")];
  const texts = new Map();
  for (const route of routes) {
    const parts = [...route.querySelectorAll(":scope > summary, :scope > dl, :scope > p")];
    const service = route.closest("section").id;
    texts.set(route, `${service} ${parts.map((part) => part.textContent).join(" ")}`.toLowerCase());
  }
  function search() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const route of routes) {
      const fits = words.every((word) => texts.get(route).includes(word));
      route.hidden = !fits;
      if (fits && route.classList.contains("route")) shown += 1;
    }
    for (const section of document.querySelectorAll("main > section")) {
      section.hidden = !section.querySelector("details:not([hidden])");
    }
    found.textContent = words.length ? `${shown} routes` : "";
  }
  function unfold() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.hidden = false;
      target.closest("section").hidden = false;
      target.open = true;
      target.scrollIntoView();
    }
  }
  box.addEventListener("input", search);
  window.addEventListener("hashchange", unfold);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    }
  });
  unfold();
})();
