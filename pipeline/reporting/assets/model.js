// The test utterances of the page as a model: columns, alignments and filters. The data are JSON in the page; it asks for nothing else.
window.vizinho = (function () {
  "use strict";
  const source = document.getElementById("utterance-data");
  if (!source) { return null; }
  const data = JSON.parse(source.textContent);
  const count = data.utterance_id.length;
  const words = data.reference.map((text) => text.split(" ").filter(Boolean));
  const unseen = data.unseen && new Set(data.unseen);
  const LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const KINDS = { "=": "substitution", "-": "deletion", "+": "insertion" };
  const shown = { a: data.shown[0], b: data.shown[1] === null ? -1 : data.shown[1] };
  const errorsOf = new Map();   // by hypothesis: the errors of each utterance

  // Returns the errors of every utterance under a hypothesis of data.hypotheses; -1 is none.
  function errors(choice) {
    if (!errorsOf.has(choice)) {
      const edits = choice < 0 ? [] : data.hypotheses[choice].edits;
      errorsOf.set(choice, edits.map((text) => text.split(" ").filter((part) => part[0] in KINDS).length));
    }
    return errorsOf.get(choice);
  }

  // Returns the steps of an alignment: kind, the reference's word, the hypothesis' word, its confidence and its start and end in seconds.
  function align(choice, index) {
    const hypothesis = data.hypotheses[choice];
    const steps = [];
    const times = hypothesis.times[data.utterance_id[index]] || [];
    let at = 0, spoken = 0;
    const add = (kind, reference, word) => {
      const place = kind === "deletion" ? -1 : spoken++;
      const level = hypothesis.words[index][place];
      const time = place >= 0 && 2 * place + 1 < times.length ? [times[2 * place] / 100, times[2 * place + 1] / 100] : null;
      steps.push({ kind, reference, word, confidence: level === undefined ? null : LEVELS.indexOf(level) / 63, time });
    };
    for (const part of hypothesis.edits[index].split(" ").filter(Boolean)) {
      const kind = KINDS[part[0]];
      if (!kind) {
        for (let left = Number(part); left > 0; left -= 1, at += 1) { add("hit", words[index][at], words[index][at]); }
      } else if (kind === "insertion") { add(kind, "", part.slice(1)); } else { add(kind, words[index][at++], part.slice(1)); }
    }
    return steps;
  }

  const coded = (name) => (index) => data.coded[name].values[data.coded[name].code[index]];
  const wer = (choice) => (index) => choice < 0 ? null : errors(choice)[index] / Math.max(1, words[index].length);
  const confidence = (choice) => (index) => choice < 0 ? null : data.hypotheses[choice].confidence[index];
  const hasAudio = (index) => Object.hasOwn(data.audio, data.utterance_id[index]) || clip(data.utterance_id[index]) !== null;
  const clips = new Map(Array.from(document.querySelectorAll("audio[data-utterance]"), (player) => [player.dataset.utterance, player.src]));
  const clip = (name) => clips.has(name) ? clips.get(name) : null;

  const text = (choice, index) => align(choice, index).map((step) => step.word).filter(Boolean);
  const NUMBERS = {   // name in a filter → value of an utterance
    wer: (index) => wer(shown.a)(index), wer2: (index) => wer(shown.b)(index),
    change: (index) => shown.b < 0 ? null : wer(shown.a)(index) - wer(shown.b)(index),
    errors: (index) => errors(shown.a)[index], words: (index) => words[index].length,
    duration: (index) => data.duration_s[index], snr: (index) => data.snr_db[index],
    confidence: (index) => confidence(shown.a)(index), confidence2: (index) => confidence(shown.b)(index),
  };
  const TEXTS = Object.assign({   // name in a filter → one or several values of an utterance
    id: (index) => [data.utterance_id[index]], ref: (index) => words[index], hyp: (index) => text(shown.a, index),
    wrong: (index) => align(shown.a, index).filter((step) => step.kind !== "hit").map((step) => step.reference || step.word),
    audio: (index) => [hasAudio(index) ? "yes" : "no"],
  }, Object.fromEntries(Object.keys(data.coded).map((name) => [name, (index) => [coded(name)(index)]])));
  const COMPARE = {
    "=": (one, other) => one === other, "!=": (one, other) => one !== other, ">": (one, other) => one > other, "<": (one, other) => one < other,
    ">=": (one, other) => one >= other, "<=": (one, other) => one <= other,
  };

  // Returns a function of an utterance's index for a term of a filter; throws an Error that names what is wrong.
  function term(name, sign, value) {
    if (Object.hasOwn(NUMBERS, name)) {
      const limit = value.endsWith("%") ? Number(value.slice(0, -1)) / 100 : Number(value);
      if (value === "" || Number.isNaN(limit) || sign === "~") { throw new Error(name + sign + value + ": a number is expected, as in wer>0.5"); }
      return (index) => { const found = NUMBERS[name](index); return found !== null && COMPARE[sign](found, limit); };
    }
    if (!Object.hasOwn(TEXTS, name)) { throw new Error("no column " + name + "; columns: " + Object.keys(NUMBERS).concat(Object.keys(TEXTS)).join(", ")); }
    const wanted = value.toLowerCase();
    if (sign === "=") { return (index) => TEXTS[name](index).some((found) => found.toLowerCase() === wanted); }
    if (sign === "!=") { return (index) => TEXTS[name](index).every((found) => found.toLowerCase() !== wanted); }
    if (sign === "~") { return (index) => TEXTS[name](index).some((found) => found.toLowerCase().includes(wanted)); }
    throw new Error(name + " is a text: use =, != or ~ (contains)");
  }

  // Returns the indices of the utterances that a filter keeps, such as 'wer>0.5 locale=pt-PT casa'. Words without a column are searched.
  function filter(query) {
    const terms = [];
    for (const [whole, name, sign, value, phrase] of query.matchAll(/([a-z]\w*)(!=|>=|<=|=|>|<|~)("[^"]*"|\S*)|"([^"]*)"|\S+/gi)) {
      if (name) { terms.push(term(name.toLowerCase(), sign, value.replaceAll('"', ""))); continue; }
      const wanted = (phrase === undefined ? whole : phrase).toLowerCase();
      terms.push((index) => data.reference[index].toLowerCase().includes(wanted) || text(shown.a, index).join(" ").toLowerCase().includes(wanted)
        || (shown.b >= 0 && text(shown.b, index).join(" ").toLowerCase().includes(wanted)));
    }
    const kept = [];
    for (let index = 0; index < count; index += 1) { if (terms.every((keeps) => keeps(index))) { kept.push(index); } }
    return kept;
  }

  // Returns the FLAC of an utterance as a Blob, null if the page has none.
  function audio(index) {
    const name = data.utterance_id[index];
    const base64 = data.audio[name] || (clip(name) || "").split(",")[1];
    return base64 ? new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: "audio/flac" }) : null;
  }

  // Returns an element with attributes and children; a child that is no element becomes text, never markup.
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) { made.setAttribute(name, value); }
    made.append(...children);
    return made;
  }
  const percent = (rate, digits) => rate === null ? "–" : (rate * 100).toFixed(digits || 0).replace("-", "−") + "\u00a0%";

  return { data, count, words, shown, unseen, errors, align, wer, coded, confidence, hasAudio, audio, filter, element, percent };
})();
