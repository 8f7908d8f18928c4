// The section "Speakers": the error rate of each speaker under the two systems of the explorer, the worst first.
(function () {
  "use strict";
  if (!window.vizinho) { return; }
  const { data, count, words, shown, errors, coded, element, percent, Table } = window.vizinho;

  // Returns a row per speaker; who is not known is no speaker.
  function speakers() {
    const found = new Map();
    const [name, locale] = [coded("speaker"), coded("locale")];
    for (let index = 0; index < count; index += 1) {
      if (name(index) === "") { continue; }
      if (!found.has(name(index))) { found.set(name(index), { name: name(index), locale: locale(index), utterances: 0, words: 0, a: 0, b: 0, snr: 0, known: 0 }); }
      const row = found.get(name(index));
      row.utterances += 1;
      row.words += words[index].length;
      row.a += errors(shown.a)[index];
      row.b += shown.b < 0 ? 0 : errors(shown.b)[index];
      if (data.snr_db[index] !== null) { row.snr += data.snr_db[index]; row.known += 1; }
    }
    return Array.from(found.values());
  }

  const rate = (row, part) => part === "b" && shown.b < 0 ? null : row[part] / Math.max(1, row.words);
  const link = (row) => element("a", { href: "#filter/" + encodeURIComponent('speaker="' + row.name + '"') }, row.name);
  const columns = [
    { name: "speaker", title: "Speaker", narrow: true, value: (row) => row.name, show: link },
    { name: "wer", title: "WER", width: "5rem", number: true, narrow: true, value: (row) => rate(row, "a"), show: (row) => percent(rate(row, "a"), 1) },
    { name: "wer2", title: "WER 2", width: "5rem", number: true, narrow: true, value: (row) => rate(row, "b"), show: (row) => percent(rate(row, "b"), 1) },
    { name: "errors", title: "Errors", width: "5rem", number: true, value: (row) => row.a, show: (row) => String(row.a) },
    { name: "words", title: "Words", width: "5rem", number: true, value: (row) => row.words, show: (row) => String(row.words) },
    { name: "utterances", title: "Utterances", width: "7rem", number: true, value: (row) => row.utterances, show: (row) => String(row.utterances) },
    { name: "snr", title: "Mean SNR, dB", width: "8rem", number: true, value: (row) => row.known ? row.snr / row.known : null,
      show: (row) => row.known ? (row.snr / row.known).toFixed(0) : "–" },
    { name: "locale", title: "Locale", width: "5rem", value: (row) => row.locale, show: (row) => row.locale },
  ];
  const view = new Table(document.getElementById("speaker-table"), document.getElementById("speaker-pager"), columns,
    { name: "wer", descending: true }, 10, () => {});

  function measure() {
    const rows = speakers();
    document.getElementById("speaker-system").textContent = data.hypotheses[shown.a].label;
    document.getElementById("speaker-summary").textContent = rows.length === 1 ? "1 speaker." : rows.length + " speakers.";
    view.setRows(rows);
  }
  document.addEventListener("systems", measure);
  document.getElementById("speaker-explorer").hidden = false;
  document.getElementById("no-speakers").hidden = true;
  measure();
})();
