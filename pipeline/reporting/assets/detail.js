// One utterance: its audio with waveform and spectrogram (wavesurfer.js), and the hypotheses of all systems aligned with the reference.
(function () {
  "use strict";
  if (!window.vizinho) { return; }
  const { data, shown, align, errors, words, coded, audio, element } = window.vizinho;
  const MARKS = { hit: "span", substitution: "mark", deletion: "del", insertion: "ins" };
  const LOW = 0.5;   // a word's confidence below this is underlined
  let surfer = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Returns a word of a hypothesis, marked by the kind of its error. The mark is readable without colour: an insertion has +, a deletion a line.
  function word(step) {
    if (!step) { return element("span", {}, "\u00a0"); }
    const low = step.confidence !== null && step.confidence < LOW;
    const made = element(MARKS[step.kind], { class: low ? "low" : "" }, step.kind === "deletion" ? step.reference : step.word);
    const about = { substitution: "instead of " + step.reference, deletion: "deletion", insertion: "insertion" }[step.kind];
    if (about) { made.append(element("span", { class: "aside" }, " (" + about + ")")); }
    const known = step.confidence === null ? [] : ["confidence " + step.confidence.toFixed(2)];
    if (step.time) {
      [made.dataset.start, made.dataset.end] = step.time;
      known.push(step.time.map((second) => second.toFixed(2)).join(" to ") + "\u00a0s");
    }
    if (known.length) { made.title = known.join(", "); }
    return made;
  }

  // Returns the reference above the shown hypotheses, one column per word; a word that a system inserts has a column of its own.
  function grid(index) {
    const choices = [shown.a, shown.b].filter((choice) => choice >= 0);
    const columns = [];   // per gap and word of the reference: the steps of each choice
    const gaps = Array.from({ length: words[index].length + 1 }, () => choices.map(() => []));
    const hits = words[index].map(() => choices.map(() => null));
    choices.forEach((choice, row) => {
      let at = 0;
      for (const step of align(choice, index)) {
        if (step.kind === "insertion") { gaps[at][row].push(step); } else { hits[at][row] = step; at += 1; }
      }
    });
    gaps.forEach((gap, at) => {
      for (let place = 0; place < Math.max(...gap.map((steps) => steps.length)); place += 1) { columns.push(["", gap.map((steps) => steps[place])]); }
      if (at < words[index].length) { columns.push([words[index][at], hits[at]]); }
    });
    const labels = ["reference", ...choices.map((choice) => data.hypotheses[choice].label)];
    const stack = (kind, parts) => element("div", { class: kind }, ...parts.map((part) => element("div", {}, part)));
    return element("div", { class: "aligned", lang: "pt" }, stack("labels", labels),
      ...columns.map(([reference, steps]) => stack("column", [reference || "\u00a0", ...steps.map(word)])));
  }

  // Returns the hypotheses that are not in the grid, each as a line of marked words.
  function others(index) {
    const lines = data.hypotheses.map((hypothesis, choice) => [hypothesis, choice]).filter(([, choice]) => choice !== shown.a && choice !== shown.b);
    if (!lines.length) { return ""; }
    const body = element("tbody", {}, ...lines.map(([hypothesis, choice]) => {
      const cell = element("td", { lang: "pt" });
      align(choice, index).forEach((step) => cell.append(word(step), " "));
      return element("tr", {}, element("th", { scope: "row" }, hypothesis.label), cell, element("td", { class: "n" }, String(errors(choice)[index])));
    }));
    return element("details", {}, element("summary", {}, "Other systems (" + lines.length + ")"), element("table", { class: "hypotheses" }, body));
  }

  // Marks the words that are spoken while the player plays; a click on a word plays from there.
  function follow(player, into) {
    const timed = Array.from(into.querySelectorAll("[data-start]"));
    const mark = () => {
      for (const made of timed) {
        made.classList.toggle("spoken", player.currentTime >= Number(made.dataset.start) && player.currentTime < Number(made.dataset.end));
      }
      if (!player.paused && player.isConnected) { requestAnimationFrame(mark); }
    };
    for (const event of ["play", "seeking", "pause"]) { player.addEventListener(event, mark); }
    into.addEventListener("click", (event) => {
      const made = event.target.closest("[data-start]");
      if (made) { player.currentTime = Number(made.dataset.start); player.play(); }
    });
  }

  // Shows an utterance in an element and returns its player, null without audio.
  function open(index, into) {
    close();
    const facts = ["speaker", "locale", "accent", "gender", "age", "corpus"].map((name) => coded(name)(index)).filter(Boolean);
    facts.push(data.duration_s[index].toFixed(1) + "\u00a0s", words[index].length + " words");
    if (data.snr_db[index] !== null) { facts.push("SNR " + data.snr_db[index].toFixed(0) + "\u00a0dB"); }
    const sound = audio(index);
    const player = element("audio", { controls: "", "aria-label": data.utterance_id[index] });
    const wave = element("div", { class: "wave", "aria-hidden": "true" });
    const scale = element("p", { class: "caveat" }, "Waveform and spectrogram, 0 to 8 kHz. Words are marked as they are spoken; a click on a word plays from there.");
    const missing = element("p", { class: "caveat" }, "The page has no audio of this utterance: report.audio_mb in params.yaml limits how many have it. ",
      "The filter audio=yes finds those.");
    const transcript = data.transcript[index], aligned = grid(index);
    into.replaceChildren(
      element("p", { class: "facts" }, element("strong", {}, data.utterance_id[index]), " " + facts.join(", ")),
      ...(sound ? [player, wave, scale] : [missing]),
      ...(transcript && transcript !== data.reference[index] ? [element("p", { class: "facts", lang: "pt" }, "Transcript: " + transcript)] : []),
      aligned, others(index));
    if (!sound) { return null; }
    follow(player, aligned);
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    surfer = window.WaveSurfer.create({
      container: wave, media: player, height: 56, sampleRate: 16000, normalize: true, waveColor: colour("--muted"),
      progressColor: colour("--link"), cursorColor: colour("--heat"), cursorWidth: 2,
      plugins: [window.WaveSurfer.Spectrogram.create({
        height: 112, fftSamples: 512, frequencyMin: 0, frequencyMax: 8000, scale: "linear", useWebWorker: false, labels: false,
        colorMap: dark ? "igray" : "gray",
      })],
    });
    surfer.loadBlob(sound);
    return player;
  }

  function close() {
    if (surfer) { surfer.destroy(); }
    surfer = null;
  }

  Object.assign(window.vizinho, { open, close });
})();
