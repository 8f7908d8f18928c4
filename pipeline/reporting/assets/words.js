// The section "Words": the words of the references under the first system of the explorer, rare and wrong ones first.
(function () {
  "use strict";
  if (!window.vizinho) { return; }
  const { count, shown, unseen, align, element, percent, Table } = window.vizinho;

  // Returns a row per word of the references.
  function vocabulary() {
    const found = new Map();
    for (let index = 0; index < count; index += 1) {
      for (const step of align(shown.a, index)) {
        if (step.kind === "insertion") { continue; }
        if (!found.has(step.reference)) { found.set(step.reference, { word: step.reference, count: 0, hits: 0, wrong: new Map(), sum: 0, spoken: 0 }); }
        const row = found.get(step.reference);
        row.count += 1;
        if (step.kind === "hit") { row.hits += 1; } else { row.wrong.set(step.word, (row.wrong.get(step.word) || 0) + 1); }
        if (step.confidence !== null) { row.sum += step.confidence; row.spoken += 1; }
      }
    }
    return Array.from(found.values(), (row) => {
      const [confusion, times] = Array.from(row.wrong).sort((one, other) => other[1] - one[1])[0] || [null, 0];
      return Object.assign(row, { accuracy: row.hits / row.count, confusion, times, confidence: row.spoken ? row.sum / row.spoken : null });
    });
  }

  const link = (row) => element("a", { href: "#filter/" + encodeURIComponent("ref=" + row.word), lang: "pt" }, row.word);
  const wrong = (row) => row.confusion === null ? "" : element("a", { href: "#filter/" + encodeURIComponent("wrong=" + row.word), lang: "pt" },
    (row.confusion || "∅") + (row.times > 1 ? " × " + row.times : ""));
  const columns = [
    { name: "word", title: "Word", narrow: true, value: (row) => row.word, show: link },
    { name: "accuracy", title: "Correct", width: "6rem", number: true, narrow: true, value: (row) => row.accuracy, show: (row) => percent(row.accuracy) },
    { name: "count", title: "Count", width: "5rem", number: true, narrow: true, value: (row) => row.count, show: (row) => String(row.count) },
    { name: "wrongs", title: "Errors", width: "5rem", number: true, value: (row) => row.count - row.hits, show: (row) => String(row.count - row.hits) },
    { name: "confusion", title: "Most frequent error", narrow: true, value: (row) => row.confusion, show: wrong },
    ...(unseen ? [{ name: "unseen", title: "In training", width: "7rem", value: (row) => unseen.has(row.word) ? "no" : "yes",
      show: (row) => unseen.has(row.word) ? "no" : "yes" }] : []),
    { name: "confidence", title: "Mean confidence", width: "9.5rem", number: true, value: (row) => row.confidence,
      show: (row) => row.confidence === null ? "–" : row.confidence.toFixed(2) },
  ];
  const view = new Table(document.getElementById("word-table"), document.getElementById("word-pager"), columns,
    { name: "accuracy", descending: false }, 25, () => {});
  const search = document.getElementById("word-filter");
  const only = document.getElementById("word-unseen");
  let rows = [];

  function apply() {
    const wanted = search.value.trim().toLowerCase();
    view.setRows(rows.filter((row) => row.word.includes(wanted) && (!only.checked || unseen.has(row.word))));
  }
  function measure() {   // rare ones first among equals
    rows = vocabulary().sort((one, other) => one.count - other.count);
    document.getElementById("word-system").textContent = window.vizinho.data.hypotheses[shown.a].label;
    const share = (part) => percent(part.reduce((sum, row) => sum + row.hits, 0) / Math.max(1, part.reduce((sum, row) => sum + row.count, 0)), 1);
    const [seen, fresh] = [rows.filter((row) => !unseen || !unseen.has(row.word)), rows.filter((row) => unseen && unseen.has(row.word))];
    document.getElementById("word-summary").textContent = rows.length + " words; " + share(seen) + " of the tokens are correct"
      + (fresh.length ? " among words of the training texts, " + share(fresh) + " among the " + fresh.length + " others." : ".");
    apply();
  }
  document.addEventListener("systems", measure);
  search.addEventListener("input", apply);
  only.addEventListener("change", apply);
  only.closest("label").hidden = !unseen;
  document.getElementById("word-explorer").hidden = false;
  document.getElementById("no-words").hidden = true;
  measure();
})();
