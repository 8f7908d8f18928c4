"""The model card of a promoted folder: README.md with Hugging Face's front matter and the measured figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline.core.files import read_json, read_table
from pipeline.core.timing import all_timings
from pipeline.registry.markdown import markdown_table
from pipeline.registry.record import DECODER, EXPORTS, LANGUAGE_MODEL, PARITY

EXISTING = {"champion": "the previous champion", "donor": "the donor as it is"}
"""The systems that a run does not train."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a card needs of the run that made the model.

    Args:
        scores: system to its `vizinho.score/3`.
        timings: DVC stage to its measurements (data/timing/).
        trained_on: language to the utterances of its train split (corpus, speaker, duration_s, licence); with the
            donor's languages if there was a donor.
        certificate: of the Portuguese split.
        model: vizinho.json of the folder.
        decoder: decoder.json of its language model; None if it has none.
        exports: entries of parity.json for the exports in the folder.
    """

    scores: Mapping[str, Any]
    timings: Mapping[str, Any]
    trained_on: Mapping[str, pd.DataFrame]
    certificate: Mapping[str, Any]
    model: Mapping[str, Any]
    decoder: Mapping[str, Any] | None = None
    exports: Sequence[Mapping[str, Any]] = ()


def read_run(root: Path, folder: str) -> Run:
    """Return what a card needs, from a checkout of the run commit with its data."""
    model, decoder = read_json(root / folder / "vizinho.json"), root / folder / LANGUAGE_MODEL / DECODER[0]
    files = {file.parent.name: file
             for file in sorted((root / "data/split").glob("*/train.parquet" if model.get("donor") else "portuguese/train.parquet"))}
    files["portuguese"] = root / model.get("split", "data/split/portuguese") / "train.parquet"  # what `align` kept, if it ran
    trained_on = {language: read_table(file, ["corpus", "speaker", "duration_s", "licence"]) for language, file in files.items()}
    parity = root / folder / EXPORTS / PARITY
    exports = [entry for entry in read_json(parity)["exports"] if (parity.parent / entry["file"]).is_file()] if parity.exists() else []
    return Run({file.stem: read_json(file) for file in sorted((root / "data/score").glob("*.json"))}, all_timings(root), trained_on,
               read_json(root / "data/split/portuguese/certificate.json"), model, read_json(decoder) if decoder.exists() else None, exports)


def model_card(run: Run, *, artefact: str, version: str, system: str, commit: str, override: str | None = None,
               forbidden: bool = False) -> str:
    """Return README.md of a promoted model.

    Args:
        run: that made it.
        artefact: name of the model in the registry.
        version: of the model.
        system: the challenger.
        commit: of the run.
        override: why it was promoted although something spoke against it; None if nothing did.
        forbidden: whether the gate's verdict was not promote.
    """
    score = run.scores[system]
    test = score["test_set"]
    parts = [
        "---\n" + yaml.safe_dump(_front_matter(score, f"{artefact} {version}"), sort_keys=False, allow_unicode=True) + "---",
        f"# {artefact} {version}",
        "Portuguese speech recognition: a wav2vec2 CTC model" + (" transferred from a Spanish one." if run.model.get("donor") else "."),
        "```python\nfrom transformers import pipeline\n\n"
        'pipeline("automatic-speech-recognition", model="data/champion")("speech.flac")\n```',
        "## Intended use\n\n"
        "Transcripts of read or dictated Portuguese at 16 kHz, one speaker at a time. Output is spoken form: lower case, numbers as words, "
        "no punctuation. Do not use it to identify people, nor where an error does harm and nobody checks the transcript.",
        "## Evaluation\n\n"
        f"{test['utterances']} utterances of {test['speakers']} speakers who are {'' if test.get('speaker_dependent') else 'not '}in its "
        "training data, "
        f"{test['words']} words "
        f"(test set `{test['hash'][:12]}`, normaliser {score['normaliser']}). Error rates of the whole set, with intervals of "
        f"{100 * score['wer']['level']:g} % over {score['wer']['unit']}s.\n\n"
        + markdown_table([
            {"system": description, **_rates(run.scores[name])}
            for name, description in {
                system: "**this model**", **EXISTING, **{other: other for other in run.scores if other not in (system, *EXISTING)}}.items()
            if name in run.scores])
        + _decoder(run.decoder, score)
        + "\n\n" + markdown_table([
            {"slice": ", ".join(f"{column} {value or 'unknown'}" for column, value in part["slice"].items()), "utterances": part["utterances"],
             **_rates(part)}
            for part in score["slices"] if set(part["slice"]) <= {"locale", "gender", "corpus"}])
        + _robustness(score.get("robustness"))
        + _speed(run.timings, system)
        + _exports(run.exports, run.timings, system),
        "## Data and licences\n\n" + markdown_table([
            {"trained on": f"{corpus} ({language})", "utterances": len(rows), "speakers": rows.loc[rows["speaker"] != "", "speaker"].nunique(),
             "hours": f"{rows['duration_s'].sum() / 3600:.2f}",
             "licence": ", ".join(sorted(name or "none stated" for name in rows["licence"].unique()))}
            for language, table in run.trained_on.items() for corpus, rows in table.groupby("corpus")])
        + _left_out(run.model.get("alignment"))
        + "\n\nTraining, dev and test data share no speaker, sentence or recording: see the certificate of the split.",
        "## Limits\n\n" + "\n".join(f"- {line}" for line in _limits(run, score, override, forbidden)),
        "## Reproduce\n\n"
        f"```sh\ngit checkout {commit}\ndvc repro train@{system}\n```\n\n"
        f"Seed {run.model.get('seed')}; " + ", ".join(f"{name} {found}" for name, found in run.model.get("versions", {}).items()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(score: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return Hugging Face's metadata of a model of that name."""
    return {
        "language": ["pt"], "library_name": "transformers", "pipeline_tag": "automatic-speech-recognition",
        "tags": ["wav2vec2", "ctc", "portuguese"], "metrics": ["wer", "cer"],
        "model-index": [{"name": name, "results": [{
            "task": {"type": "automatic-speech-recognition"},
            "dataset": {"type": "test-split", "name": f"test split {score['test_set']['hash'][:12]}", "split": "test"},
            "metrics": [{"type": rate, "value": round(100 * score.get(f"{rate}_served", score[rate])["value"], 2), "name": f"{rate.upper()} (%)"}
                        for rate in ("wer", "cer")],
        }]}],
    }


def _decoder(found: Mapping[str, Any] | None, score: Mapping[str, Any]) -> str:
    """Return what the model decodes with; an empty text if it has no language model and its score no served figures."""
    if found is None:
        return ""
    text = f"\n\nIts decoder, `{LANGUAGE_MODEL}/`, is a beam search with a word n-gram"
    if not found["adopted"]:
        text += ", which is not used: it did not lower the WER on dev"
    elif "wer_served" in score:
        text += ". *As served* is with each system's decoder, the other columns are without; plain `transformers` decodes without"
    licences = ", ".join(dict.fromkeys(licence for licences in found.get("texts", {}).values() for licence in licences))
    return text + (f". Licences of its texts: {licences}." if licences else ".")


def _left_out(alignment: Mapping[str, Any] | None) -> str:
    """Return how many transcripts `align` dropped; an empty text if it did not run."""
    if not alignment:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in alignment["dropped"].items())
    return (f"\n\nOf {alignment['utterances']} Portuguese training utterances {sum(alignment['dropped'].values())} were dropped because their "
            f"transcripts do not fit the audio{f' ({reasons})' if reasons else ''}, by forced alignment with a model of weights "
            f"`{alignment['aligner']['weights_hash'][:12]}`.")


def _speed(timings: Mapping[str, Any], system: str) -> str:
    """Return how fast the model transcribed and on what; an empty text if that was not measured."""
    found = timings.get(f"transcribe@{system}", {})
    if "rtfx" not in found:
        return ""
    machine = found["machine"]
    return (f"\n\nSpeed: {found['rtfx']:.0f} audio-seconds per second on {machine['processor']}, {machine['cores']} cores; peak memory "
            f"{found['peak_memory_bytes'] / 2**30:.1f} GiB.")


def _exports(found: Sequence[Mapping[str, Any]], timings: Mapping[str, Any], system: str) -> str:
    """Return a table of the shipped exports: size, change of the WER, speed relative to PyTorch; an empty text without any."""
    if not found:
        return ""
    measured = timings.get(f"export@{system}", {}).get("backends", {})
    return (f"\n\nExports in `{EXPORTS}/`, for `vizinho transcribe --backend`. Their WER is compared with that of PyTorch, as served:\n\n"
            + markdown_table([{
                "backend": entry["backend"], "MB": f"{entry['bytes'] / 1e6:.1f}",
                "change in WER, points": "{value:+.2f} ({low:+.2f} to {high:+.2f})".format(
                    **{part: 100 * entry["wer_served"]["difference"][part] for part in ("value", "low", "high")}),
                "speed, times PyTorch's": f"{measured[name]['relative_to_torch']:.2f}" if (name := entry["backend"]) in measured else "not measured",
            } for entry in found]))


def _robustness(found: Mapping[str, Any] | None) -> str:
    """Return a table of the conditions in which the model was measured; an empty text if it was not."""
    if not found:
        return ""
    return f"\n\nOf {found['utterances']} of these utterances, as they are and degraded:\n\n" + markdown_table([
        {"condition": name.replace("_", " "), **_rates(part)}
        for name, part in [("as it is", found), *((entry["condition"], entry) for entry in found["conditions"])]])


def _limits(run: Run, score: Mapping[str, Any], override: str | None, forbidden: bool) -> list[str]:
    lines = ["It was trained on the corpora above only. Expect more errors on other speech until you measure them.",
             "Noise, telephone speech, several speakers at once and code-switching count as other speech unless a row above names them."]
    if override:
        against = "the gate's verdict was not promote" if forbidden else "something spoke against it, as its record lists"
        lines.insert(0, f"It was promoted although {against}: {override}")
    if score["test_set"].get("speaker_dependent"):
        lines.append("The figures are for speakers who are in its training data.")
    return lines + [str(note) for note in run.certificate.get("notes", [])]


def _rates(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the error rates as columns; those as served, if they were measured."""
    return {f"{rate.upper()} %{title}": _percent(found[rate + ending]) for ending, title in (("", ""), ("_served", " as served"))
            for rate in ("wer", "cer") if rate + ending in found}


def _percent(rate: Mapping[str, Any] | None) -> str:
    if rate is None:
        return "too few"
    interval = "" if rate["low"] is None else f" ({100 * rate['low']:.2f} to {100 * rate['high']:.2f})"
    return f"{100 * rate['value']:.2f}{interval}"
