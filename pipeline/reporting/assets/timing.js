// Fills the section "Speed and cost" from ../timing/timing.js, which each stage writes beside the report. The page itself holds no clock.
(function () {
  "use strict";
  const timings = window.vizinhoTiming;
  const body = document.getElementById("timings");
  if (!timings || !body) { return; }
  const number = (value, digits) => value === undefined || value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits });
  const ratio = (speed) => speed ? number(speed.value, 0) + " (" + number(speed.low, 0) + " to " + number(speed.high, 0) + ")" : "–";
  for (const stage of Object.keys(timings)) {
    const figures = timings[stage];
    const row = document.createElement("tr");
    const memory = figures.peak_memory_bytes === undefined ? undefined : figures.peak_memory_bytes / 1073741824;
    const cells = [stage, number(figures.seconds, 1), number(memory, 2), number(figures.rtfx, 0), ratio(figures.relative_speed)];
    cells.forEach((text, index) => {
      const cell = document.createElement(index ? "td" : "th");
      if (index) { cell.className = "n"; } else { cell.scope = "row"; }
      cell.textContent = text;
      row.appendChild(cell);
    });
    body.appendChild(row);
  }
  const seconds = Object.values(timings).reduce((sum, figures) => sum + (figures.seconds || 0), 0);
  document.getElementById("all-seconds").textContent = number(seconds, 0);
  const machines = new Set(Object.values(timings).map((figures) => figures.machine.processor + ", " + figures.machine.cores + " cores"));
  document.getElementById("machines").textContent = "Measured on " + Array.from(machines).join("; ") + ".";
  document.getElementById("timing-table").hidden = false;
  document.getElementById("no-timing").hidden = true;
})();
