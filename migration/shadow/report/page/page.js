"use strict";
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const clusters = [...document.querySelectorAll(".cluster")];
  const q = document.getElementById("q"), scenario = document.getElementById("scenario"), state = document.getElementById("state");
  const boxes = [...form.querySelectorAll("[name=severity]")];
  const shown = document.getElementById("shown"), none = document.getElementById("none");
  const all = shown.textContent;
  form.hidden = false;

  const apply = () => {
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const on = new Set(boxes.filter(b => b.checked).map(b => b.value));
    let n = 0;
    for (const c of clusters) {
      const d = c.dataset;
      c.hidden = !(on.has(d.severity) && (!scenario.value || d.scenario === scenario.value) &&
        (!state.value || d.state === state.value) && words.every(w => d.search.includes(w)));
      if (!c.hidden) n++;
    }
    none.hidden = n > 0;
    shown.textContent = n === clusters.length ? all : n + " of " + clusters.length + " kinds of difference shown";
    const p = new URLSearchParams();
    if (words.length) p.set("q", q.value);
    if (on.size < boxes.length) p.set("severity", [...on].join(" "));
    if (scenario.value) p.set("scenario", scenario.value);
    if (state.value) p.set("state", state.value);
    history.replaceState(null, "", p.size ? "#" + p : location.pathname + location.search);
  };
  const pick = (list, value) => { list.value = [...list.options].some(o => o.value === value) ? value : ""; };
  const open = yes => clusters.forEach(c => { if (!c.hidden) c.querySelector("details").open = yes; });
  const restore = () => {
    const id = location.hash.slice(1);
    if (id.startsWith("c-")) {
      const d = document.getElementById(id);
      if (d) { d.open = true; d.scrollIntoView(); }
      return;
    }
    if (!id.includes("=")) return;
    const p = new URLSearchParams(id);
    q.value = p.get("q") || "";
    if (p.has("severity")) boxes.forEach(b => { b.checked = p.get("severity").split(" ").includes(b.value); });
    pick(scenario, p.get("scenario") || "");
    pick(state, p.get("state") || "");
    apply();
  };

  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("all").addEventListener("click", () => form.reset());
  document.getElementById("expand").addEventListener("click", () => open(true));
  document.getElementById("collapse").addEventListener("click", () => open(false));
  addEventListener("hashchange", restore);
  addEventListener("keydown", e => {
    if (e.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) { e.preventDefault(); q.focus(); }
  });
  restore();
})();
