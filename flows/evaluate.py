"""Evaluate the champion on a new test set, without training, and report a regression from its known error rates.

Either imported corpora are updated and the test split grows, or a release that no model was trained on is added as test data, in any form that
a reader of `pipeline/corpora` reads; its figures are then those of its slice. Nothing is committed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
import yaml
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows import runs
from flows.artifacts import percent
from flows.events import emit_event
from flows.graph import Graph, read_graph, stage_of, stages_of
from flows.retrain import EMBEDDED, apply_profile, imported_pointers, pull, update
from flows.runs import fail_with_message, require_success
from flows.stages import THREADS, check_requirements, run_stages
from flows.workspace import Workspace, machine_lock, workspace
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import read_json, read_table, write_table, write_text
from pipeline.core.manifest import NORMALISED, conform
from pipeline.core.params import load_section
from pipeline.registry.git import git_bytes
from pipeline.registry.record import Registry, champion

LANGUAGE: Final = "portuguese"
CHAMPION: Final = "champion"
SCORE: Final = f"data/score/{CHAMPION}.json"
TRAININGS: Final = ("donor", "train")
RELEASE: Final = "release"
MANIFEST: Final = f"data/normalise/{LANGUAGE}/{RELEASE}/manifest.parquet"
FIXED: Final = ("reader", "source", "language")
"""The keys of a section under ingest that are not among `options`."""
UNSTATED: Final = "LicenseRef-not-stated"
"""Licence of rows without one: no model is trained on them."""
WITHOUT_DEFAULTS: Final = ("manifest", "datasets", "folder")
"""Readers of no particular release: the params state locale and licence of rows without them."""

Reader = Literal["manifest", "common_voice", "mls", "coraa", "voxforge", "fleurs", "mtedx", "folder", "datasets", "speak"]
Set = Literal["train", "dev", "test", "none"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A WER of the champion before and now.

    Args:
        where: "all", or a slice: "locale=pt-BR".
        known: its committed WER, a fraction.
        now: its WER on the new test set with its interval, as in a score file.
        utterances: how many the new WER is measured on.
    """

    where: str
    known: float
    now: dict[str, Any]
    utterances: int

    def is_regression(self, margin: float) -> bool:
        """Return whether the whole interval is above the known WER plus a margin, a fraction."""
        low = self.now.get("low")
        return low is not None and low > self.known + margin


@flow(name="evaluate", flow_run_name=runs.run_name, persist_result=False, log_prints=True, task_runner=THREADS)
@fail_with_message
def evaluate(profile: str = EMBEDDED, git_ref: str = "main", corpora: list[str] | None = None, release: str | None = None,
             reader: Reader = "manifest", options: dict[str, Any] | None = None, sets: list[Set] | None = None, margin: float = 0.02,
             min_utterances: int = 50) -> State[Any]:
    """Score the champion on a new test set, and report the slices with a regression.

    Args:
        profile: Params of the test set. embedded is params.yaml as committed; any other name is profiles/NAME.yaml.
        git_ref: Branch, tag or commit whose champion is evaluated.
        corpora: Corpora to update with `dvc update` first, by their name under data/raw. Null: all; []: none.
        release: Folder or archive on the worker, or an address, of a release used as test data. Empty field: the test split of the corpora.
        reader: Format of the release, as `reader` of a corpus under ingest in params.yaml; docs/guides/corpora.md describes each.
        options: Other keys of a corpus under ingest, such as {"table": "manifest.csv", "locale": "pt-PT"}. Null: the reader's defaults.
        sets: Official sets of the release to use; none is what has no set. Null: its test set, or all of it if it has none.
        margin: A regression is a WER whose whole interval is above the known WER plus this fraction.
        min_utterances: Smaller slices are not compared.

    Raises:
        MissingInputError: the champion's model or its committed score is missing.
    """
    logger = get_run_logger()
    with machine_lock("retrain", logger.warning), workspace(f"evaluate-{runs.date()}-{runs.short_id()}", git_ref, logger.info) as space:
        apply_profile(space, profile)
        artefact = load_section(Registry, "registry", path=space.path / "params.yaml").artefact
        model, record = champion(space.path)
        known = score_at(space, space.commit)
        require_success(pull(space, ["--with-deps", stage_of(stages_of(space), "transcribe", CHAMPION)]))
        require_success(update(space, imported_pointers(space, corpora)))
        if not (space.path / model / "model.safetensors").is_file():
            raise MissingInputError(model, "the champion's model is in neither the DVC cache nor the remote", "model.safetensors",
                                    "run `dvc push` on the machine that made it")
        if release:
            add_release(space, section(release, reader, options or {}))
        graph = read_graph(space)
        stages = stages_to_score(graph)
        check_requirements(space, graph, stages)
        if release:
            first = graph.before([f"normalise@{RELEASE}"])
            run_stages(space, graph, first)
            select(space.path / MANIFEST, sets)
            graph, stages = read_graph(space), stages - first
        run_stages(space, graph, stages)
        score = read_json(space.path / SCORE)
    rows = compare(known, score, min_utterances, RELEASE if release else None)
    regressions = [row for row in rows if row.is_regression(margin)]
    version = record.version if record else "day one"
    create_table_artifact([{"slice": row.where, "utterances": row.utterances, "known WER %": f"{100 * row.known:.1f}",
                            "WER % now [95 %]": percent(row.now), "regression": "yes" if row.is_regression(margin) else "no"} for row in rows],
                          key=f"{artefact}-champion", description=f"{artefact} {version} on {release or profile}")
    message = summary(rows, regressions, version)
    outcome = {"artefact": artefact, "wer": rows[0].now["value"], "regressions": [row.where for row in regressions]}
    if regressions:
        emit_event("evaluation.regression", artefact, message, **outcome)
        return Completed(name="Regressed", message=message, data=outcome)
    return Completed(message=message, data=outcome)


def score_at(space: Workspace, commit: str) -> dict[str, Any]:
    """Return the champion's committed score.

    Raises:
        MissingInputError: it has none.
    """
    try:
        found: dict[str, Any] = yaml.safe_load(git_bytes(space.path, "show", f"{commit}:{SCORE}"))
    except Exception:
        raise MissingInputError(f"{SCORE} at {commit[:9]}", "not committed", "the champion's figures",
                                "retrain once: the run commit contains them") from None
    return found


def stages_to_score(graph: Graph) -> set[str]:
    """Return the stages that score the champion, without those that train a model."""
    return graph.before([stage_of(graph.needs, "score", CHAMPION)], cut=TRAININGS)


def section(release: str, reader: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section of a release under ingest; `vizinho doctor` checks it before the first stage.

    Args:
        release: folder or archive, or an address.
        reader: of its format.
        options: other keys of the section.

    Raises:
        MissingInputError: there is no such folder or archive.
        ParamsError: the options have a key that is a parameter of the flow, or none.
    """
    if fixed := [key for key in FIXED if key in options]:
        raise ParamsError("evaluate", [f"options.{key}: unexpected; " + ("the champion's language is " + LANGUAGE if key == "language" else
                                       f"set the parameter {'release' if key == 'source' else key}") for key in fixed])
    if "://" not in release and not Path(release).exists():
        raise MissingInputError(release, "no such file or folder on the worker", "a release that the reader reads, or its address")
    source = release if "://" in release else str(Path(release).resolve())
    stated = {"locale": "", "licence": UNSTATED} if reader in WITHOUT_DEFAULTS else {}
    return {"reader": reader, "language": LANGUAGE, "source": source, **stated, **options}


def add_release(space: Workspace, ingest: dict[str, Any]) -> None:
    """Add a release to the params of a clone.

    Args:
        space: the run's clone.
        ingest: its section under ingest.

    Raises:
        ParamsError: the params ignore official test sets.
    """
    file = space.path / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not params["split"][LANGUAGE].get("respect_release", True):
        raise ParamsError("evaluate", [f"split.{LANGUAGE}.respect_release: off; a release is test data only if official test sets are respected"])
    like = next(rules for rules in params["normalise"].values() if rules["language"] == LANGUAGE)
    if ingest.get("locale") == "":
        ingest = ingest | {"locale": like["locale"]}
    params["ingest"][RELEASE], params["normalise"][RELEASE] = ingest, dict(like)
    write_text(file, yaml.safe_dump(params, sort_keys=False, allow_unicode=True))


def select(manifest: Path, sets: Collection[str] | None) -> None:
    """Make some sets of a normalised release test data, and drop its other rows. The manifest is that of a clone, which is not committed.

    Args:
        manifest: of the release.
        sets: names of sets, "none" for rows without one; None: test, or all rows if there is no test.

    Raises:
        DataError: no row that is kept is in these sets.
    """
    table = read_table(manifest)
    names = table["release_split"].replace("", "none")
    found = {str(name): int(count) for name, count in names[table["keep"]].value_counts().items()}
    wanted = set(found) if sets is None and "test" not in found else {"test"} if sets is None else set(sets)
    if not wanted & set(found):
        offered = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
        raise DataError("evaluate", f"no utterance of the release is in {', '.join(sorted(wanted)) or 'no set'}; it has {offered or 'none at all'}",
                        "a set of the release", "correct the parameter sets")
    chosen = names.isin(wanted)
    table.loc[~chosen & table["keep"], "drop_reason"] = "other set"
    table["keep"] &= chosen
    table["release_split"] = "test"
    write_table(manifest, conform(pd.DataFrame(table), NORMALISED, str(manifest)))


def compare(known: dict[str, Any], score: dict[str, Any], min_utterances: int, corpus: str | None) -> list[Comparison]:
    """Return the champion's known WER as served beside its present one: the whole test set first, then each slice.

    Args:
        known: its committed score.
        score: its present score.
        min_utterances: smaller slices are left out.
        corpus: name of an added release: its slice is then the whole test set. None: no release was added.

    Raises:
        DataError: no utterance of that corpus is in the test set.
    """
    def slices(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {",".join(f"{column}={value}" for column, value in part["slice"].items()): part for part in card["slices"]}

    now, earlier = slices(score), slices(known)
    if corpus:
        whole = now.get(f"corpus={corpus}")
        if whole is None:
            raise DataError(f"release {corpus}", "none of its utterances is in the test split", "at least one",
                            "check the rejects of ingest and normalise")
        return [Comparison(corpus, known["wer_served"]["value"], whole["wer_served"], whole["utterances"])]
    rows = [Comparison("all", known["wer_served"]["value"], score["wer_served"], score["test_set"]["utterances"])]
    return rows + [Comparison(name, earlier[name]["wer_served"]["value"], part["wer_served"], part["utterances"]) for name, part in now.items()
                   if name in earlier and part["utterances"] >= min_utterances and part["wer_served"] and earlier[name]["wer_served"]]


def summary(rows: Sequence[Comparison], regressions: Sequence[Comparison], version: str) -> str:
    """Return the outcome in one line.

    Args:
        rows: all comparisons, the whole test set first.
        regressions: those that are worse.
        version: of the champion.
    """
    figures = f"{version}: WER {percent(rows[0].now)} % on {rows[0].utterances} utterances, known WER {100 * rows[0].known:.1f} %"
    return f"{figures}; regression: {', '.join(row.where for row in regressions)}" if regressions else f"{figures}; no regression"
