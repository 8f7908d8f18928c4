"""The report as one HTML page without external requests: inputs in, HTML out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from pipeline.core.errors import DataError
from pipeline.reporting.assets import FOLDER, asset, content_policy
from pipeline.reporting.change import Revision, champion_changes
from pipeline.reporting.charts import FURTHER, Cell, heat_map, learning_curve, score_chart, system_chart, system_colours
from pipeline.reporting.clips import Row, select_clips
from pipeline.reporting.curves import Curve, answers
from pipeline.reporting.diff import align
from pipeline.reporting.formatting import (
    format_p_value,
    format_seconds,
    format_signed,
    format_value,
    percent,
    points,
    thousands,
    visible_symbol,
)
from pipeline.reporting.inputs import Inputs, interval, need, outcome, point
from pipeline.reporting.plots import reliability
from pipeline.reporting.utterances import explorer_data

SCRIPTS: Final = (
    "vendor/wavesurfer.min.js", "vendor/spectrogram.min.js", "timing.js", "model.js", "table.js", "detail.js", "explorer.js",
    "speakers.js", "words.js",
)
"""The page's own scripts, in the order in which they run."""

UNCHANGED: Final = "unchanged"
"""Name of the first row of the robustness table: the sample without any change to its audio."""


def render(inputs: Inputs, clips: int, audio_mb: float, against: Revision | None = None) -> str:
    """Return the page.

    Args:
        inputs: the results of the run.
        clips: the number of utterances to listen to: about a third each of the best, the median and the worst.
        audio_mb: MB of audio of further utterances, which the explorer plays.
        against: another run to compare this one with.

    Raises:
        MissingInputError: the shard of a clip is missing.
        DataError: an input lacks a field that the page shows.
    """
    return fill("page.html", inputs, against=against, **_context(inputs, clips, audio_mb))


def fill(template: str, inputs: Inputs, **values: Any) -> str:
    """Return a page from its template in `assets`.

    Args:
        template: the name of its file.
        inputs: the results of the run, for messages.
        values: the variables of the template.

    Raises:
        DataError: the template needs a field that an input lacks.
    """
    try:
        return _environment().get_template(template).render(**values)
    except UndefinedError as error:
        raise DataError(
            f"report on {inputs.folder}", str(error), "the fields in docs/schemas", "run the stage that lacks it again"
        ) from None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters.update(
        percent=percent,
        points=points,
        thousands=thousands,
        outcome=outcome,
        p_value=format_p_value,
        plain=format_value,
        signed=format_signed,
        seconds=format_seconds,
        visible=visible_symbol,
    )
    return environment


def _context(inputs: Inputs, clip_count: int, audio_mb: float) -> dict[str, Any]:
    """Return the variables of page.html."""
    score = inputs.scores[inputs.challenger]
    alignment = inputs.models[inputs.challenger].get("alignment")  # the report of the stage `align`, if the training set was filtered
    systems, colours = system_rows(inputs), system_colours(inputs.trained, inputs.challenger, inputs.baseline)
    calibration = calibration_bins(score)
    curves, scripts = inputs.curves, [asset(name) for name in SCRIPTS]
    clips = select_clips(inputs, systems, clip_count)
    return dict(
        verdict=inputs.verdict,
        sentence=verdict_sentence(inputs.verdict),
        rules=[(rule, distance_to_limit(rule)) for rule in inputs.verdict["rules"]],
        closest=closest_rule(inputs.verdict["rules"]),
        synthetic=synthetic_corpora(inputs),
        systems=systems,
        challenger=inputs.challenger,
        test_set=score["test_set"],
        wer=score["wer_served"],
        decoder=verdict_decoder(inputs.verdict),
        normaliser=score["normaliser"],
        comparisons=comparison_rows(inputs),
        answers=answers(curves[inputs.challenger], curves[inputs.baseline], longer_from_scratch(inputs),
                        inputs.donor_curve.steps if inputs.donor_curve else None),
        learning_curve=learning_curve(curves, inputs.baseline, colours),
        system_chart=wer_chart(inputs),
        slices=slice_groups(inputs),
        robustness=robustness_rows(inputs),
        errors=score.get("errors_served"),
        change=champion_changes(inputs),
        calibration=calibration,
        reliability=reliability(calibration) if calibration else None,
        worst=worst_utterances(score.get("errors_served") or {}),
        clips=clips,
        utterances=explorer_data(inputs, systems, audio_mb, {clip.utterance_id for clip in clips}),
        corpora=corpus_rows(inputs),
        certificates=inputs.certificates,
        alignment=alignment,
        score_chart=alignment_chart(alignment) if alignment else None,
        head_plan=head_groups(inputs.models[inputs.challenger].get("head_plan") or []),
        ranking=inputs.ranking,
        ranking_chart=ranking_chart(inputs.ranking) if inputs.ranking else None,
        from_spanish=from_spanish(inputs.ranking) if inputs.ranking else None,
        models={
            name: {key: value for key, value in model.items() if key not in ("head_plan", "alignment")}
            for name, model in inputs.models.items()
        },
        hashes=inputs.hashes,
        scripts=scripts,
        policy=content_policy(scripts),
        colours=colours,
        dashed=[name for name, colour in colours.items() if colour in FURTHER],
    )


def curves_csv(folder: Path, inputs: Inputs) -> str:
    """Return the histories of all trained systems and the donor as one CSV with a column `system`, for `dvc plots show`.

    Args:
        folder: the folder `data`.
        inputs: the results of the run.
    """
    files = {name: folder / f"train/{name}/history.csv" for name in inputs.curves} | {"donor": folder / "donor/history.csv"}
    tables = [pd.read_csv(file).assign(system=name) for name, file in files.items() if file.exists()]
    return str(pd.concat(tables, ignore_index=True).to_csv(index=False))


def wer_chart(inputs: Inputs) -> str:
    """Return the chart of the systems' word error rates as SVG: as served, and below greedy where that differs."""
    bars = []
    for row in system_rows(inputs):
        bars.append((row["name"], row["label"], row["wer_served"]))
        if row["wer"] != row["wer_served"]:
            bars.append((row["name"], f"{row['label']}, greedy", row["wer"]))
    return system_chart(bars, system_colours(inputs.trained, inputs.challenger, inputs.baseline))


def ranking_chart(ranking: Mapping[str, Any]) -> str:
    """Return the heat map of the donor ranking as SVG: languages by score and levels, the nearest at the top.

    Args:
        ranking: `rank/ranking.json`.
    """
    where = "rank/ranking.json"
    levels, candidates, nearest = (need(ranking, key, where) for key in ("levels", "candidates", "nearest"))
    scores = {found["language"]: found["score"]["value"] for found in candidates}
    columns = [("score", scores, nearest, True)]
    columns += [(level["level"], {code: value["value"] for code, value in level["values"].items()}, level, level["counted"]) for level in levels]
    rows = []
    for found in candidates:
        code, cells = found["language"], []
        for _, values, first, counted in columns:
            low, high = min(values.values()), max(values.values())
            near = code == first["language"] or code in first["not_distinguished"]
            shade = (values[code] - low) / (high - low) if high > low else 0.0
            cells.append(Cell(format_signed(values[code], 2) if counted else f"{values[code]:.3f}", shade, near))
        rows.append((found["name"], cells))
    return heat_map(f"Similarity to {ranking['target']}", "Darker: nearer. Bold: not separated from the first of its column",
                    [name for name, *_ in columns], rows)


def from_spanish(ranking: Mapping[str, Any]) -> str:
    """Return in a sentence why the default starts from Spanish, whatever the ranking puts first."""
    nearest, names = ranking["nearest"], {found["language"]: found["name"] for found in ranking["candidates"]}
    spanish = [code for code in names if code.partition("-")[0] == "es"]
    if not spanish or nearest["language"] in spanish:
        return ""
    price = "Published Spanish checkpoints and hours of Spanish speech exist, which no distance between languages contains"
    if set(spanish) & set(nearest["not_distinguished"]):
        return f"The default starts from Spanish although {names[nearest['language']]} ranks first: the ranking does not separate the two. {price}."
    return f"The default starts from Spanish although {names[nearest['language']]} leads it by more than the interval. {price}."


def verdict_decoder(verdict: Mapping[str, Any]) -> str:
    """Return in a sentence what the challenger decodes with."""
    decoder = verdict["challenger"].get("decoder")
    if not decoder:
        return "The challenger has no decoder: it serves greedily."
    if not decoder["adopted"]:
        return "The challenger's decoder was not adopted, since it did not lower the WER on dev beyond its interval: it serves greedily."
    return f"The challenger serves with the decoder {decoder['hash'][:12]}: a beam search with a word n-gram."


def alignment_chart(alignment: Mapping[str, Any]) -> str:
    """Return the chart of the training transcripts' scores as SVG.

    Args:
        alignment: `alignment` in the `vizinho.json` of a model whose training set was filtered.

    Raises:
        DataError: the distribution is missing or inconsistent.
    """
    where = "vizinho.json of the challenger: alignment"
    found = need(alignment, "distribution", where)
    edges, transcripts, negatives = (need(found, key, where) for key in ("edges", "transcripts", "negatives"))
    if len(edges) != len(transcripts) + 1 or len(edges) != len(negatives) + 1 or not edges[0] < edges[-1]:
        raise DataError(where, f"{len(edges)} edges of {len(transcripts)} and {len(negatives)} bins", "one edge more than bins", "run align again")
    return score_chart(edges, transcripts, negatives, need(alignment, "threshold", where))


def verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """Return the reason of the verdict in a sentence or two: the rules that fail, those undecided, or the gain in WER."""
    enabled = [rule for rule in verdict["rules"] if rule["enabled"]]
    if not enabled:
        return "No rule of the gate is enabled, so nothing can be promoted."
    parts = []
    for result, one, many in (("fail", "fails", "fail"), ("undecided", "is undecided", "are undecided")):
        if rules := [rule for rule in enabled if outcome(rule) == result]:
            reasons = [f"{rule['name'].replace('_', ' ')} ({rule['reason']})" for rule in rules[:3]]
            more = [f"and {len(rules) - 3} more"] if len(rules) > 3 else []
            verb = one if len(rules) == 1 else many
            parts.append(f"{len(rules)} of {len(enabled)} enabled rules {verb}: {', '.join(reasons + more)}.")
    if parts:
        return " ".join(parts)
    found = verdict["comparisons"].get("champion")
    if not found:
        return f"All {len(enabled)} enabled rules pass."
    before, after = (percent(found["wer"][name]) for name in ("champion", "challenger"))
    return f"All {len(enabled)} enabled rules pass: on the same test set, WER as served is {after}, compared with {before} for the champion."


def distance_to_limit(rule: Mapping[str, Any]) -> float | None:
    """Return how far the upper end of a rule's interval is below its limit, a fraction; None without an interval or a limit."""
    known = rule["enabled"] and rule["high"] is not None and rule["limit"] is not None
    return float(rule["limit"] - rule["high"]) if known else None


def closest_rule(rules: Sequence[Mapping[str, Any]]) -> tuple[str, float, float] | None:
    """Return the rule that is the closest to its limit: its name, the distance, and the width of its interval, both fractions.

    The distance of each rule is divided by the width of its interval, so that rules of other quantities and sizes compare.
    """
    known = [(distance / max(rule["high"] - rule["low"], 1e-9), rule["name"], distance, rule["high"] - rule["low"])
             for rule in rules if (distance := distance_to_limit(rule)) is not None]
    return min(known)[1:] if known else None


def synthetic_corpora(inputs: Inputs) -> list[str]:
    """Return the names of the corpora whose speech is synthetic."""
    return sorted(corpus for (_, corpus), reports in inputs.corpora.items() if reports.get("ingest", {}).get("synthetic"))


def system_rows(inputs: Inputs) -> list[Row]:
    """Return a row per system with its error rates; champion and donor share one while they are the same model."""
    scores = dict(inputs.scores)
    labels = {name: name for name in scores}
    meaning = {name: describe_system(name, inputs) for name in scores}
    if "donor" in scores and "champion" in scores and _same_results(scores["donor"], scores["champion"]):
        del scores["donor"]
        labels["champion"] = "champion = donor"
        meaning["champion"] = "the Spanish model; no Portuguese model is in use yet"
    rows = []
    for name, score in scores.items():
        where = f"score/{name}.json"
        tolerant = score.get("tolerant_served") or {}
        rows.append(
            {
                "name": name,
                "label": labels[name],
                "meaning": meaning[name],
                **{rate: interval(score[rate], f"{where}: {rate}") for rate in ("wer", "cer", "wer_served", "cer_served")},
                "tolerant_wer": point(tolerant.get("wer"), where),
                "tolerant_cer": point(tolerant.get("cer"), where),
                "parameters": inputs.transcriptions.get(name, {}).get("parameters"),
            }
        )
    return rows


def describe_system(name: str, inputs: Inputs) -> str:
    """Return what a system is in a few words, from the record of its model."""
    if name == "champion":
        return "the model in use"
    if name == "donor":
        return "the Spanish model, without training on Portuguese"
    record = inputs.models.get(name, {})
    steps = record.get("params", {}).get("steps")
    start = record.get("starts_from", "")
    origin = "trained from scratch" if not record.get("donor") else f"started from {'the Spanish donor' if start == 'data/donor' else start}"
    return f"Portuguese, {origin}" + (f", {thousands(steps)} steps" if steps else "") + (f", seed {record['seed']}" if "seed" in record else "")


def longer_from_scratch(inputs: Inputs) -> Curve | None:
    """Return the curve of the system without a donor that has the most steps beyond the baseline's, None if there is none."""
    others = [curve for name, curve in inputs.curves.items() if name not in (inputs.challenger, inputs.baseline)
              and not inputs.models.get(name, {}).get("donor") and curve.steps > inputs.curves[inputs.baseline].steps]
    return max(others, key=lambda curve: curve.steps, default=None)


def _same_results(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two scores are of the same hypotheses."""
    return all(one.get(key) == other.get(key) for key in ("wer", "cer", "wer_served", "cer_served", "test_set"))


def comparison_rows(inputs: Inputs) -> list[Row]:
    """Return a row per rival and rate (WER, CER; as served, greedy): both rates, their paired difference and its p-values."""
    rows = []
    for rival, hypotheses, rate in product(inputs.verdict["comparisons"], ("comparisons", "comparisons_greedy"), ("wer", "cer")):
        where = f"gate/verdict.json: {hypotheses}.{rival}.{rate}"
        figures = need(need(inputs.verdict[hypotheses], rival, f"gate/verdict.json: {hypotheses}"), rate, where)
        rows.append({
            "rival": rival,
            "first": (hypotheses, rate) == ("comparisons", "wer"),
            "rate": rate.upper() + (", as served" if hypotheses == "comparisons" else ", greedy"),
            "rival_rate": point(need(figures, "champion", where), where),
            "challenger_rate": point(need(figures, "challenger", where), where),
            "difference": interval(need(figures, "difference", where), where),
            "p_bootstrap": figures.get("p_bootstrap"),
            "p_mapsswe": figures.get("p_mapsswe"),
        })
    return rows


def slice_groups(inputs: Inputs) -> list[tuple[str, list[Row]]]:
    """Return each dimension (such as "locale") with its slices: a row per slice, with the WER as served by system and the lowest."""
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
            if (rate := point(entry.get("wer_served"), where)) is not None:
                row["wer"][name] = rate
    groups = []
    for dimensions, slices in table.items():
        rows = [{"name": value, **row, "best": min(row["wer"].values(), default=None)} for value, row in slices.items()]
        groups.append((" × ".join(word.replace("_", " ") for word in dimensions), rows))
    return groups


def robustness_rows(inputs: Inputs) -> list[Row]:
    """Return a row per acoustic condition, the unchanged sample first.

    Each row has `name`, `about` (the changes to the audio) and `systems`: by system, WER as served and its change, None for the
    unchanged sample.
    """
    table: dict[str, Row] = {}
    for name, score in inputs.scores.items():
        if not (found := score.get("robustness")):
            continue
        where = f"score/{name}.json: robustness"
        size = f"{need(found, 'utterances', where)} utterances of {need(found, 'speakers', where)} speakers"
        row = table.setdefault(UNCHANGED, {"name": UNCHANGED, "about": size, "systems": {}})
        row["systems"][name] = (interval(need(found, "wer_served", where), where), None)
        for entry in need(found, "conditions", where):
            condition = need(entry, "condition", where)
            row = table.setdefault(condition, {"name": condition, "about": describe_changes(entry["changes"]), "systems": {}})
            row["systems"][name] = (interval(entry["wer_served"], where), interval(entry["wer_change_served"], where))
    return list(table.values())


def describe_changes(changes: Mapping[str, Any]) -> str:
    """Return the changes of an acoustic condition, for print.

    {"speed": 0.9, "snr_db": 10.0} → "speed × 0.9, noise at 10 dB"
    """
    describe: dict[str, Callable[[Any], str]] = {
        "speed": lambda value: f"speed × {value:g}" if value != 1 else "",
        "snr_db": lambda value: f"noise at {value:g} dB" if value is not None else "",
        "telephone": lambda value: "300 to 3,400 Hz, G.711" if value else "",
        "codec": lambda value: f"low-rate {value.upper()}" if value else "",
    }
    return ", ".join(filter(None, (text(changes.get(name)) for name, text in describe.items() if name in changes)))


def corpus_rows(inputs: Inputs) -> list[Row]:
    """Return a row per corpus: its size, and the utterances rejected and dropped, by reason."""
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
    """Return the counts by reason, the most frequent first; None if the report is missing."""
    if not report:
        return None
    counted = need(report, key, where)
    if not isinstance(counted, Mapping):
        raise DataError(where, f"{key} is {counted!r}", "counts by reason", "run the stage that writes it again")
    return sorted(
        ((str(name), int(number)) for name, number in counted.items() if number), key=lambda pair: (-pair[1], pair[0])
    )


def head_groups(plan: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the rows of the new head by their origin, copied rows first.

    Args:
        plan: `head_plan` in vizinho.json: `symbol`, `donor_symbol` and `how` of each row.

    Returns:
        origin, and its rows as (symbol, donor's symbol or "").
    """
    order = ("copied", "base letter", "fresh")
    origins = sorted(
        {str(row["how"]) for row in plan},
        key=lambda origin: (order.index(origin) if origin in order else len(order), origin),
    )
    return [
        (origin, [(row["symbol"], row.get("donor_symbol") or "") for row in plan if row["how"] == origin])
        for origin in origins
    ]


def calibration_bins(score: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Return the bins of the words' confidence with any words, as served and greedy; each has `size`, the number of its words."""
    found = {"as served": score.get("errors_served"), "greedy": score.get("errors")}
    bins = {label: ((errors or {}).get("word_calibration") or {}).get("bins") or [] for label, errors in found.items()}
    if bins["as served"] == bins["greedy"]:
        del bins["greedy"]
    return {label: [{**entry, "size": entry["words"]} for entry in entries] for label, entries in bins.items() if entries}


def worst_utterances(error_analysis: Mapping[str, Any]) -> list[Row]:
    """Return the worst utterances of an error analysis, each with its alignment as `edits`."""
    worst = error_analysis.get("worst") or []
    return [{**entry, "edits": align(entry["reference"], entry["hypothesis"])} for entry in worst]
