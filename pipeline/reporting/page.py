"""The report as one HTML page that asks for nothing from outside: inputs in, text out."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from pipeline.core.errors import DataError
from pipeline.reporting.charts import COLOURS, learning_curve, score_chart, system_chart
from pipeline.reporting.curves import answers, percent, thousands
from pipeline.reporting.diff import Edit, align, count_errors
from pipeline.reporting.inputs import Inputs, read_flac, interval, need, point

MEANING: Final = {
    "transfer": "Portuguese, started from the Spanish donor",
    "scratch": "the same Portuguese data and steps, started from nothing",
    "scratch_long": "from nothing, with more steps",
    "champion": "the model in use",
    "donor": "the Spanish model as it is",
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance to listen to: its audio and what each system heard."""

    utterance_id: str
    why: str  # best | median | worst, by the challenger
    speaker: str
    about: str  # locale, accent, gender, as far as known
    duration_s: float
    audio: str  # data URI
    written: str  # the transcript as found
    reference: str
    words: int
    heard: list[tuple[Row, list[Edit], int]]  # row of the systems' table, alignment, wrong words


def render(inputs: Inputs, clips: int) -> str:
    """Return the page.

    Args:
        clips: utterances to listen to: about a third each of the best, the middling and the worst.

    Raises:
        DataError: an input lacks what the page shows.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, thousands=thousands, p_value=p_value, plain=plain, signed=signed, clock=clock, visible=visible
    )
    score = inputs.scores[inputs.challenger]
    alignment = inputs.models["transfer"].get("alignment")  # what the stage `align` reported, where it was trained on that
    shown = dict(
        verdict=inputs.verdict,
        sentence=verdict_sentence(inputs.verdict),
        systems=system_rows(inputs),
        challenger=inputs.challenger,
        test_set=score["test_set"],
        wer=score["wer"],
        normaliser=score["normaliser"],
        comparisons=comparison_rows(inputs),
        answers=answers(inputs.curves, inputs.donor_curve.steps if inputs.donor_curve else None),
        learning_curve=learning_curve(inputs.curves),
        system_chart=chart(inputs),
        slices=slice_groups(inputs),
        robustness=robustness_rows(inputs),
        errors=score.get("errors"),
        worst=worst_utterances(score.get("errors") or {}),
        clips=listen(inputs, clips),
        corpora=corpus_rows(inputs),
        certificates=inputs.certificates,
        alignment=alignment,
        score_chart=alignment_chart(alignment) if alignment else None,
        head_plan=head_groups(inputs.models["transfer"].get("head_plan") or []),
        ranking=inputs.ranking,
        models={
            name: {key: value for key, value in model.items() if key not in ("head_plan", "alignment")}
            for name, model in inputs.models.items()
        },
        hashes=inputs.hashes,
        colours=COLOURS,
    )
    try:
        return environment.get_template("page.html").render(shown)
    except UndefinedError as error:
        raise DataError(
            f"report on {inputs.folder}", str(error), "the fields in docs/schemas", "run the stage that lacks it again"
        ) from None


def chart(inputs: Inputs) -> str:
    """Return the picture of the systems' word error rates."""
    return system_chart([(row["name"], row["label"], row["wer"]) for row in system_rows(inputs)])


def alignment_chart(alignment: Mapping[str, Any]) -> str:
    """Return the picture of the training transcripts' scores.

    Raises:
        DataError: the model's record does not hold the distribution.
    """
    where = "train/transfer/vizinho.json: alignment"
    found = need(alignment, "distribution", where)
    edges, transcripts, planted = (need(found, key, where) for key in ("edges", "transcripts", "planted"))
    if len(edges) != len(transcripts) + 1 or len(edges) != len(planted) + 1 or not edges[0] < edges[-1]:
        raise DataError(where, f"{len(edges)} edges of {len(transcripts)} and {len(planted)} bars", "one edge more than bars", "run align again")
    return score_chart(edges, transcripts, planted, need(alignment, "threshold", where))


def verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """Return why the verdict is what it is, in a sentence or two, from the rules."""
    enabled = [rule for rule in verdict["rules"] if rule["enabled"]]
    if not enabled:
        return "No rule of the gate is enabled, so nothing can be promoted."
    parts = []
    for answer, one, many in ((False, "fails", "fail"), (None, "is undecided", "are undecided")):
        if rules := [rule for rule in enabled if rule["passed"] is answer]:
            reasons = [f"{rule['name'].replace('_', ' ')} ({rule['reason']})" for rule in rules[:3]]
            more = [f"and {len(rules) - 3} more"] if len(rules) > 3 else []
            verb = one if len(rules) == 1 else many
            parts.append(f"{len(rules)} of {len(enabled)} enabled rules {verb}: {', '.join(reasons + more)}.")
    if parts:
        return " ".join(parts)
    found = verdict["comparisons"].get("champion")
    if not found:
        return f"All {len(enabled)} enabled rules hold."
    before, after = (percent(found["wer"][name]) for name in ("champion", "challenger"))
    first = f"All {len(enabled)} enabled rules hold"
    return f"{first}: on the same test set, WER is {after}, against {before} with the champion."


def system_rows(inputs: Inputs) -> list[Row]:
    """Return a row for each system, its figures as intervals; champion and donor share one where they are one model."""
    scores = dict(inputs.scores)
    labels = {name: name for name in scores}
    meaning = dict(MEANING)
    if "donor" in scores and "champion" in scores and _one_model(scores["donor"], scores["champion"]):
        del scores["donor"]
        labels["champion"] = "champion = donor"
        meaning["champion"] = "the Spanish model as it is: no Portuguese model is in use yet"
    rows = []
    for name, score in scores.items():
        where = f"score/{name}.json"
        tolerant = score.get("tolerant") or {}
        rows.append(
            {
                "name": name,
                "label": labels[name],
                "meaning": meaning[name],
                **{rate: interval(score[rate], f"{where}: {rate}") for rate in ("wer", "cer")},
                "tolerant_wer": point(tolerant.get("wer"), where),
                "tolerant_cer": point(tolerant.get("cer"), where),
                "rtfx": score.get("rtfx"),
                "parameters": inputs.transcriptions.get(name, {}).get("parameters"),
            }
        )
    return rows


def _one_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("wer", "cer", "counts", "test_set"))


def comparison_rows(inputs: Inputs) -> list[Row]:
    """Return a row for each rival and rate: both rates, their paired difference and how likely chance is."""
    rows = []
    for rival, comparison in inputs.verdict["comparisons"].items():
        for rate in ("wer", "cer"):
            figures, where = (
                need(comparison, rate, "gate/verdict.json"),
                f"gate/verdict.json: comparisons.{rival}.{rate}",
            )
            rows.append(
                {
                    "rival": rival,
                    "rate": rate.upper(),
                    "rival_rate": point(need(figures, "champion", where), where),
                    "challenger_rate": point(need(figures, "challenger", where), where),
                    "difference": interval(need(figures, "difference", where), where),
                    "p_bootstrap": figures.get("p_bootstrap"),
                    "p_mapsswe": figures.get("p_mapsswe"),
                }
            )
    return rows


def slice_groups(inputs: Inputs) -> list[tuple[str, list[Row]]]:
    """Return by dimension (say "locale") its slices with each system's WER."""
    names = [row["name"] for row in system_rows(inputs)]
    table: dict[tuple[str, ...], dict[str, Row]] = {}
    for name in names:
        for entry in inputs.scores[name].get("slices") or []:
            where = f"score/{name}.json: slices"
            subset = need(entry, "slice", where)
            row = table.setdefault(tuple(subset), {}).setdefault(
                " · ".join(str(value) or "unknown" for value in subset.values()),
                {"utterances": entry.get("utterances"), "speakers": entry.get("speakers"), "wer": {}},
            )
            if (rate := point(entry.get("wer"), where)) is not None:
                row["wer"][name] = rate
    groups = []
    for dimensions, slices in table.items():
        rows = [{"name": value, **row, "best": min(row["wer"].values(), default=None)} for value, row in slices.items()]
        groups.append((" × ".join(word.replace("_", " ") for word in dimensions), rows))
    return groups


def robustness_rows(inputs: Inputs) -> list[Row]:
    """Return a row for each condition, the unchanged sample first: what was done, and by system WER and its change."""
    table: dict[str, Row] = {}
    for name, score in inputs.scores.items():
        if not (found := score.get("robustness")):
            continue
        where = f"score/{name}.json: robustness"
        size = f"{need(found, 'utterances', where)} utterances of {need(found, 'speakers', where)} speakers"
        row = table.setdefault("as it is", {"name": "as it is", "about": size, "systems": {}})
        row["systems"][name] = (interval(need(found, "wer", where), where), None)
        for entry in need(found, "conditions", where):
            condition = need(entry, "condition", where)
            row = table.setdefault(condition, {"name": condition, "about": changed(entry["changes"]), "systems": {}})
            row["systems"][name] = (interval(entry["wer"], where), interval(entry["wer_change"], where))
    return list(table.values())


def changed(changes: Mapping[str, Any]) -> str:
    """Return what a condition does, for print: {"speed": 0.9, "snr_db": 10.0} → "speed × 0.9, noise at 10 dB"."""
    told = {
        "speed": lambda value: f"speed × {value:g}" if value != 1 else "",
        "snr_db": lambda value: f"noise at {value:g} dB" if value is not None else "",
        "telephone": lambda value: "300 to 3,400 Hz, G.711" if value else "",
        "codec": lambda value: f"low-rate {value.upper()}" if value else "",
    }
    return ", ".join(filter(None, (tell(changes.get(name)) for name, tell in told.items() if name in changes)))


def listen(inputs: Inputs, count: int) -> list[Clip]:
    """Return the clips to listen to, the challenger's best, middling and worst."""
    table = inputs.hypotheses[inputs.challenger]
    chosen = choose(
        table["utterance_id"].tolist(),
        table["speaker"].tolist(),
        table["reference"].tolist(),
        table["hypothesis"].tolist(),
        count,
    )
    return [_clip(inputs, name, why) for name, why in chosen]


def choose(
    ids: Sequence[str],
    speakers: Sequence[str],
    references: Sequence[str],
    hypotheses: Sequence[str],
    count: int,
) -> list[tuple[str, str]]:
    """Return `count` utterances, each with its kind: best, median or worst by its share of wrong words.

    Longer utterances come before shorter ones; within a kind each is of another speaker while there is one.
    """
    speaker = dict(zip(ids, speakers, strict=True))
    length = {name: len(reference.split()) for name, reference in zip(ids, references, strict=True)}
    wrong = {
        name: count_errors(align(reference, hypothesis)) / max(1, length[name])
        for name, reference, hypothesis in zip(ids, references, hypotheses, strict=True)
    }
    middle = sorted(wrong.values())[len(wrong) // 2] if wrong else 0.0
    chosen: dict[str, str] = {}
    kinds: dict[str, Callable[[float], float]] = {
        "worst": lambda rate: -rate,
        "best": lambda rate: rate,
        "median": lambda rate: abs(rate - middle),
    }
    for extra, (kind, distance) in enumerate(kinds.items()):
        share = (count + extra) // 3
        order = [name for *_, name in sorted((distance(rate), -length[name], name) for name, rate in wrong.items())]
        heard: set[str] = set()
        for _ in range(min(share, len(order) - len(chosen))):
            left = [name for name in order if name not in chosen]
            pick = next((name for name in left if speaker[name] not in heard), left[0])
            chosen[pick] = kind
            heard |= {speaker[pick]} - {""}
    return sorted(chosen.items(), key=lambda pair: ("best", "median", "worst").index(pair[1]))


def _clip(inputs: Inputs, utterance_id: str, why: str) -> Clip:
    heard = []
    for row in system_rows(inputs):
        table = inputs.hypotheses.get(row["name"])
        found = table[table["utterance_id"] == utterance_id] if table is not None else None
        if found is not None and not found.empty:
            edits = align(found.iloc[0]["reference"], found.iloc[0]["hypothesis"])
            heard.append((row, edits, count_errors(edits)))
    first: Any = inputs.hypotheses[inputs.challenger].set_index("utterance_id").loc[utterance_id]
    written = inputs.test.set_index("utterance_id")["transcript"].get(utterance_id, "")
    return Clip(
        utterance_id=utterance_id,
        why=why,
        speaker=first["speaker"],
        duration_s=float(first["duration_s"]),
        about=", ".join(filter(None, (first["locale"], first["accent"], first["gender"]))),
        audio="data:audio/flac;base64," + base64.b64encode(read_flac(inputs, utterance_id)).decode("ascii"),
        written=written,
        reference=first["reference"],
        words=len(first["reference"].split()),
        heard=heard,
    )


def corpus_rows(inputs: Inputs) -> list[Row]:
    """Return a row for each corpus: what came in, what was rejected and dropped, by reason."""
    rows = []
    for (language, corpus), reports in inputs.corpora.items():
        ingest, normalise = reports.get("ingest", {}), reports.get("normalise", {})
        rows.append(
            {
                "language": language,
                "corpus": corpus,
                **{name: ingest.get(name) for name in ("utterances", "speakers", "hours")},
                "rejected": _reasons(ingest, "rejects", f"ingest/{language}/{corpus}/report.json"),
                "dropped": _reasons(normalise, "dropped", f"normalise/{language}/{corpus}/report.json"),
            }
        )
    return rows


def _reasons(report: Mapping[str, Any], key: str, where: str) -> list[tuple[str, int]] | None:
    """Return the counts by reason, the most frequent first; None where there is no such report."""
    if not report:
        return None
    counted = need(report, key, where)
    if not isinstance(counted, Mapping):
        raise DataError(where, f"{key} is {counted!r}", "counts by reason", "run the stage that writes it again")
    return sorted(
        ((str(name), int(number)) for name, number in counted.items() if number), key=lambda pair: (-pair[1], pair[0])
    )


def head_groups(plan: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the head plan by how rows came about, copied rows first: symbol and the donor's symbol ("" for none)."""
    order = ("copied", "base letter", "fresh")
    ways = sorted(
        {str(row["how"]) for row in plan}, key=lambda way: (order.index(way) if way in order else len(order), way)
    )
    return [
        (way, [(row["symbol"], row.get("donor_symbol") or "") for row in plan if row["how"] == way]) for way in ways
    ]


def worst_utterances(found: Mapping[str, Any]) -> list[Row]:
    """Return the worst utterances of the error analysis, aligned for the eye."""
    return [{**entry, "edits": align(entry["reference"], entry["hypothesis"])} for entry in found.get("worst") or []]


def p_value(p: float | None) -> str:
    """Return a p-value for print: 0.0004 → < 0.001, None → –."""
    return "–" if p is None else "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"


def signed(number: float, digits: int) -> str:
    """Return a number with its sign, a true minus."""
    return f"{number:+.{digits}f}".replace("-", "−")


def plain(value: Any) -> str:
    """Return a rule's figure, whatever it is: up to four significant digits, yes or no, – for none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value) and abs(value) >= 10_000):
        return thousands(value).replace("-", "−")
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return str(value)


def clock(seconds: float) -> str:
    """Return a duration for print: 2.84 → 2.8 s."""
    return f"{seconds:.1f}\N{NO-BREAK SPACE}s"


def visible(symbol: str) -> str:
    """Return a symbol for print: a blank or nothing is made visible."""
    return symbol.replace(" ", "␣") or "∅"
