// The section "Utterances": the table with its filter, keys and deep links (#utterance/ID, #filter/QUERY).
(function () {
  "use strict";
  if (!window.vizinho) { return; }
  const { data, shown, count, words, errors, wer, coded, confidence, hasAudio, filter, element, percent, Table, open, close } = window.vizinho;
  const by = (id) => document.getElementById(id);
  const [input, status, table] = [by("filter"), by("filter-status"), by("utterance-table")];
  const PAGE = 50;
  let current = null, opened = null, player = null;   // the row with the mark, the open one, its audio

  const heat = (rate) => {
    const cell = element("span", { class: "rate", style: "--h:" + Math.round(Math.min(rate, 1) * 55) + "%" }, percent(rate));
    return rate === null ? "–" : cell;
  };
  const link = (index) => element("a", { href: "#utterance/" + encodeURIComponent(data.utterance_id[index]), "aria-expanded": index === opened, lang: "pt" },
    data.reference[index] || "(empty)");
  const numeric = (name, title, width, value, show, narrow) => ({ name, title, width, value, show: (index) => show(value(index)), number: true, narrow });
  const named = (name, title, width) => ({ name, title, width, value: coded(name), show: coded(name) });
  const rounded = (digits) => (value) => value === null ? "–" : value.toFixed(digits);
  const columns = [
    { name: "reference", title: "Reference", narrow: true, value: (index) => data.reference[index], show: link },
    numeric("wer", "WER", "5rem", (index) => wer(shown.a)(index), heat, true),
    numeric("wer2", "WER 2", "5.4rem", (index) => wer(shown.b)(index), heat, true),
    numeric("errors", "Errors", "4.8rem", (index) => errors(shown.a)[index], String),
    numeric("words", "Words", "4.8rem", (index) => words[index].length, String),
    numeric("confidence", "Confidence", "7rem", (index) => confidence(shown.a)(index), rounded(2)),
    numeric("duration", "Seconds", "5.4rem", (index) => data.duration_s[index], rounded(1)),
    numeric("snr", "SNR, dB", "5.4rem", (index) => data.snr_db[index], rounded(0)),
    named("locale", "Locale", "5rem"), named("speaker", "Speaker", "9rem"),
    ...(data.coded.corpus.values.length > 1 ? [named("corpus", "Corpus", "7rem")] : []),
    numeric("audio", "Audio", "4.6rem", (index) => Number(hasAudio(index)), (found) => found ? "♪" : ""),
  ];
  const view = new Table(table, by("utterance-pager"), columns, { name: "wer", descending: true }, PAGE, (line, index) => {
    line.dataset.index = index;
    if (index === current) { line.setAttribute("aria-current", "true"); }
    line.addEventListener("click", (event) => {
      event.preventDefault();
      if (!window.getSelection().toString()) { toggle(index); }
    });
    if (index === opened) {
      const wide = window.matchMedia("(min-width: 44.01rem)").matches;   // as in explorer.css
      const cell = element("td", { colspan: columns.filter((column) => wide || column.narrow).length, class: "detail" });
      queueMicrotask(() => { line.after(element("tr", { class: "detail-row" }, cell)); player = open(index, cell); });
    }
  });

  function apply() {
    [current, opened, player] = [null, null, null];
    close();
    try {
      const kept = filter(input.value);
      view.setRows(kept);
      const total = kept.reduce((sum, index) => sum + words[index].length, 0);
      const rate = (choice) => percent(kept.reduce((sum, index) => sum + errors(choice)[index], 0) / Math.max(1, total), 1);
      status.textContent = !kept.length ? "No utterance of " + count : kept.length + " of " + count + " utterances; their WER: " + rate(shown.a) + (shown.b < 0 ? "" : ", WER 2: " + rate(shown.b));
      status.className = "";
    } catch (problem) {
      status.textContent = problem.message;
      status.className = "bad";
    }
  }

  function show(index, into) {   // turns to the page of a row and draws it
    current = index;
    close();
    player = null;
    view.turnTo(Math.floor(view.rows.indexOf(index) / PAGE));
    const line = table.querySelector('[aria-current="true"]');
    if (line) { line.querySelector("a").focus({ preventScroll: true }); }   // the table was drawn anew
    if (into && line) { line.scrollIntoView({ block: opened === index ? "start" : "nearest", behavior: "instant" }); }
  }

  function setOpened(index) {   // the address is that of the open utterance
    opened = index;
    history.replaceState(null, "", index === null ? "#utterances" : "#utterance/" + encodeURIComponent(data.utterance_id[index]));
  }

  function toggle(index) {
    setOpened(opened === index ? null : index);
    show(index, false);
  }

  function follow() {   // a deep link
    const [, kind, value] = location.hash.match(/^#(utterance|filter)\/(.*)$/s) || [];
    let wanted = "";
    try { wanted = decodeURIComponent(value || ""); } catch { wanted = value; }
    if (kind === "filter") {
      input.value = wanted;
      apply();
      by("utterances").scrollIntoView({ behavior: "instant" });
    } else if (kind) {
      const index = data.utterance_id.indexOf(wanted);
      if (index < 0) { status.textContent = "no utterance " + wanted; status.className = "bad"; return; }
      if (!view.rows.includes(index)) { input.value = ""; apply(); }
      opened = index;
      show(index, true);
    }
  }

  const KEYS = {
    j: () => step(1), k: () => step(-1), "/": () => { by("utterances").scrollIntoView({ behavior: "instant" }); input.focus(); },
    Enter: () => { if (current === null) { return false; } toggle(current); }, Escape: () => { if (opened === null) { return false; } toggle(opened); },
    " ": () => { if (!player) { return false; } if (player.paused) { player.play(); } else { player.pause(); } },
  };
  function step(by) {
    const place = current === null ? (by > 0 ? 0 : -1) : view.rows.indexOf(current) + by;
    if (place < 0 || place >= view.rows.length) { return; }
    if (opened !== null) { setOpened(view.rows[place]); }
    show(view.rows[place], true);
  }
  document.addEventListener("keydown", (event) => {
    if (event.target === input && event.key === "Escape") { input.blur(); return; }
    const takes = (selector) => event.target.closest(selector) !== null;   // the element handles the key itself
    const native = takes("input, select") || (event.key === "Enter" && takes("a, button, summary")) || (event.key === " " && takes("button, summary, audio"));
    if (native || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) { return; }
    if (KEYS[event.key]() !== false) { event.preventDefault(); }
  });

  for (const [id, side, none] of [["system-a", "a", false], ["system-b", "b", true]]) {
    const choice = by(id);
    choice.append(...(none ? [element("option", { value: -1 }, "none")] : []),
      ...data.hypotheses.map((hypothesis, index) => element("option", { value: index }, hypothesis.label)));
    choice.value = String(shown[side]);
    choice.addEventListener("change", () => { shown[side] = Number(choice.value); apply(); document.dispatchEvent(new Event("systems")); });
  }
  let waiting = 0;
  input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  by("explore").addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(waiting); apply(); input.blur(); });
  window.addEventListener("hashchange", follow);
  by("explorer").hidden = false;
  by("no-explorer").hidden = true;
  apply();
  follow();
})();
