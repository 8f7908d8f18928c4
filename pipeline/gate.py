"""Decide whether the challenger may replace the champion, and test that decision with planted challengers.

Challenger and champion are compared as they serve, each with its own decoder. The comparison with the baseline, which shows what the
transfer is worth, is on greedy hypotheses: a language model cannot hide or replace it.

Reads:  data/{score,transcribe}/SYSTEM.json and data/transcribe/SYSTEM.parquet of challenger, champion, `gate.baseline` and `gate.longer_baseline`,
        data/split/portuguese/{certificate.json,test.parquet}, the tables and reports of `gate.licences`,
        data/export/SYSTEM/{parity.json,hypotheses.parquet} of the challenger,
        data/{ingest,normalise}/LANGUAGE/CORPUS/report.json of `gate.data_reports.languages`
Writes: data/gate/verdict.json (`vizinho.verdict/5`)
Params: gate, score

A verdict of any kind is a result (exit 0). Figures that are broken or not comparable are a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from pydantic import Field

from pipeline.core.errors import DataError, PipelineError
from pipeline.core.files import ROOT, write_json
from pipeline.core.manifest import SLICES
from pipeline.core.params import Section, load_section, read_params
from pipeline.core.policy import policy_hash
from pipeline.core.progress import log
from pipeline.core.stage import stage_main
from pipeline.core.timing import record_timing
from pipeline.scoring.binding import check_scores, with_intervals
from pipeline.scoring.bootstrap import MIN_RESAMPLED, units_of
from pipeline.scoring.comparison import check_same_utterances, compare, difference
from pipeline.scoring.counts import Counts
from pipeline.scoring.evidence import Evidence, Rate, System, check, overlap_with_training
from pipeline.scoring.exports import REFUSED, SHIPPED, Judged, judge, planted_export_entries, read_exports
from pipeline.scoring.planted import RESAMPLING, planted_challengers, planted_entry
from pipeline.scoring.power import Margin, Part, power
from pipeline.scoring.reading import read_evidence
from pipeline.scoring.rules import Rule, Verdict, at_most, disabled, if_enabled, more_data, outcome_of, point_rule, spent_level, verdict_of
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Mask, slices, units_in

SCHEMA: Final = "vizinho.verdict/5"

Share = Annotated[float, Field(ge=0)]


class Switch(Section):
    """A rule without a limit."""

    enabled: bool


class ErrorLimit(Switch):
    """The whole interval of the challenger's error rate must be at most `limit`."""

    limit: Share  # fraction: the largest error rate that the application tolerates


class SpeedLimit(Switch):
    """The challenger must be at least this fast relative to the reference workload."""

    limit: Share  # times the reference workload of pipeline/decoding/speed.py


class SizeLimit(Switch):
    """The challenger's weights may take at most `limit` bytes."""

    limit: Annotated[int, Field(gt=0)]  # bytes of the weights file


class NonInferiority(Switch):
    """The challenger may be worse than the champion by at most `margin` in every slice."""

    margin: Share  # WER as a fraction: the loss in a slice that an overall gain may cost
    columns: tuple[str, ...]  # columns of the guarded slices; every value is a slice
    min_utterances: Annotated[int, Field(ge=2)]  # a smaller slice has too wide an interval; it is listed as disabled
    promotions: Annotated[int, Field(ge=0)] = 0  # champions before the present one that a promotion compares the slices with; 0: none
    required: tuple[str, ...] = ()  # "locale=pt-PT": the gate fails if it has fewer than `min_utterances`


class Baseline(Switch):
    """The challenger must be better than the baseline by more than seeds alone may make up."""

    margin: Share  # WER as a fraction: the largest difference between two seeds of one recipe (docs/decisions/judgement.md)


class TrainedOn(Switch):
    """No system may have been trained on a speaker, sentence or recording of the test set."""

    accept_unknown: bool  # whether systems of unknown training data pass, such as an external donor


class Invariance(Switch):
    """The challenger's output may not depend on the other utterances of its batch."""

    max_logit_difference: Share  # above float noise (3e-7 with layer normalisation), far below a changed symbol


class Licences(Switch):
    """Training data may have only these licences."""

    allowed: tuple[str, ...]  # SPDX identifiers that the intended use permits
    tables: tuple[str, ...]  # train splits of the challenger and its donor
    texts: tuple[str, ...] = ()  # reports of language models: the licences of their texts


class ExportParity(Switch):
    """An export whose WER exceeds PyTorch's by more than `max_wer_difference` is not shipped. The verdict on the model does not depend on it."""

    max_wer_difference: Share  # WER as a fraction: the upper end of the paired interval must be at most this; below what a user notices


class Robustness(Switch):
    """In each condition (noise, telephone, speed, codec) the challenger's WER is limited, absolutely and against the champion's."""

    max_wer: dict[str, Share]  # name in transcribe.robustness to a fraction: the whole WER interval must be at most this
    margin: Share  # WER as a fraction: the upper end of the paired interval must be at most this; larger than for slices, since the sample is smaller


class DataReports(Switch):
    """The data must be within bounds, by the reports of ingest and normalise on every corpus."""

    languages: Annotated[tuple[str, ...], Field(min_length=1)]  # of the checked corpora: the target, and the donor's if the donor is trained here
    max_rejected: Annotated[float, Field(ge=0, le=1)]  # largest share of a corpus's utterances that ingest rejected
    max_dropped: Annotated[float, Field(ge=0, le=1)]  # largest share of a corpus's ingested utterances that normalise dropped
    min_hours: Share  # kept in each language: with less, the data differ from those that the policy was made for
    min_speakers: Annotated[int, Field(ge=0)]  # known speakers kept in each language


class Policy(Section):
    """`gate` in params.yaml: the rules that a challenger must pass. Each rule is listed in the verdict, enabled or not."""

    challenger: str  # the system that may become champion
    baseline: str  # the system that it must beat besides the champion: the same training without a donor
    longer_baseline: str  # the baseline with more steps: the verdict shows the difference to it, no rule depends on it; the baseline: none
    alpha: Annotated[float, Field(gt=0, lt=0.5)]  # probability of promoting a system that is no better, over a whole period (one champion's tenure)
    gates_since_promotion: Annotated[int, Field(ge=0)]  # gate index in this period, by `vizinho registry gates`: later gates have a smaller level
    level: Annotated[float, Field(gt=0.5, lt=1)]  # two-sided confidence of all other intervals
    resamples: Annotated[int, Field(ge=1_000)]  # of each interval
    seed: Annotated[int, Field(ge=0)]  # of the resampling
    improvement: Switch  # the interval of the WER difference to the champion, both as they serve, is below 0; if disabled, nothing is promoted
    max_wer: ErrorLimit
    max_cer: ErrorLimit
    min_relative_speed: SpeedLimit
    max_model_bytes: SizeLimit
    non_inferiority: NonInferiority
    beats_baseline: Baseline
    certificate_clean: Switch  # train, dev and test share nothing
    not_trained_on_test: TrainedOn
    invariance: Invariance
    licences: Licences
    data_reports: DataReports
    self_test: Switch  # planted challengers get their expected verdicts
    export_parity: ExportParity
    robustness: Robustness


# ---- Rules ----------------------------------------------------------------------------------------------------------


def apply_rules(policy: Policy, evidence: Evidence) -> tuple[Verdict, list[Rule], dict[str, Any]]:
    """Return the verdict, every rule, and the comparisons with champion and baselines, as served and greedy.

    Raises:
        PipelineError: the evidence is broken or not comparable (`pipeline.scoring.evidence.check`), or a required slice
            is missing.
    """
    check(evidence, certificate=policy.certificate_clean.enabled, trained_on=policy.not_trained_on_test.enabled)
    challenger, champion, _ = evidence.systems
    resampling = Resampling(policy.level, policy.resamples, policy.seed)

    def comparisons_of(challenger: System, champion: System, *baselines: System) -> dict[str, Any]:
        return {
            name: compare(rival.rows, challenger.rows, names=(rival.name, challenger.name), resampling=resampling,
                          slice_columns=[[column] for column in policy.non_inferiority.columns],
                          min_utterances=policy.non_inferiority.min_utterances, speaker_dependent=evidence.speaker_dependent)
            for name, rival in (("champion", champion), *((baseline.name, baseline) for baseline in baselines))
        }

    served = comparisons_of(*evidence.all_systems)
    greedy = comparisons_of(*evidence.greedy_systems) if evidence.greedy else served
    baseline = evidence.baseline.name
    units = f"{served['champion']['units']} {served['champion']['unit']}s now"
    rules = [
        improvement(policy, evidence, served["champion"], units),
        *non_inferiority(policy.non_inferiority, evidence, served["champion"]),
        beats_baseline(policy.beats_baseline, greedy[baseline], baseline, units),
        *shown(evidence, greedy),
        error_limit("max_wer", policy.max_wer, challenger.wer, "WER", units),
        error_limit("max_cer", policy.max_cer, challenger.cer, "CER", units),
        *robustness(policy.robustness, evidence, resampling),
        *fact_rules(policy, evidence),
        *data_reports(policy.data_reports, evidence),
    ]
    judged = [judge(export, policy.export_parity.max_wer_difference, policy.invariance.max_logit_difference, resampling)
              for export in evidence.exports]
    rules.append(export_parity(policy.export_parity, judged))
    if not policy.improvement.enabled:
        rules.append(Rule("threshold", True, None, None, None, None, False,
                          "improvement is disabled: no enabled rule would show that the challenger is better than the champion"))
    return verdict_of(rules), rules, {"comparisons": served, "comparisons_greedy": greedy, "exports": [export.as_json() for export in judged]}


def improvement(policy: Policy, evidence: Evidence, comparison: dict[str, Any], units: str) -> Rule:
    """Return the rule that the challenger's WER is below the champion's.

    Passes if the upper bound of the paired interval is below 0 and MAPSSWE's p-value is below the error level of this
    gate (`spent_level`). MAPSSWE also holds at levels too small for the number of resamples. Fails if the challenger is
    worse at the policy's level, or makes exactly as many errors as the champion in every utterance.
    """
    name = "improvement"
    if not policy.improvement.enabled:
        return disabled(name, 0.0)
    one_sided = spent_level(policy.alpha, policy.gates_since_promotion)
    champion, challenger = evidence.champion.rows.words, evidence.challenger.rows.words
    resampling = Resampling(1 - 2 * one_sided, policy.resamples, policy.seed)
    found, p_mapsswe = difference(champion, challenger, units_in(evidence.champion.rows.table), resampling)
    change = f"WER changes by {100 * found.value:+.2f} points ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    level_text = f"one-sided level {one_sided:.2g}, gate {policy.gates_since_promotion + 1} since the last promotion"
    if (champion.errors_B == challenger.errors_B).all():
        passed, reason = False, "the challenger makes as many errors as the champion in every utterance"
    elif comparison["wer"]["difference"]["low"] > 0:
        passed, reason = False, f"{change}: the challenger is worse"
    elif found.high < 0 and p_mapsswe / 2 < one_sided:
        passed, reason = True, f"{change}; {level_text}"
    elif found.high < 0:
        passed, reason = None, f"undecided: {change}; {level_text}, but MAPSSWE's p-value is {p_mapsswe / 2:.2g}"
    else:
        passed, reason = None, f"undecided: {change}; {level_text}; {more_data(found.value, found.high, 0.0, units)}"
    return Rule(name, True, found.value, found.low, found.high, 0.0, passed, reason)


def non_inferiority(policy: NonInferiority, evidence: Evidence, comparison: dict[str, Any]) -> list[Rule]:
    """Return one rule for each guarded slice: the challenger's WER is at most `margin` above the champion's.

    Every slice has to pass, so no correction is needed for their number (Berger, Technometrics 24, 1982,
    intersection-union test).

    Raises:
        DataError: a required slice is missing or too small.
    """
    if not policy.enabled:
        return [disabled("non_inferiority", policy.margin)]
    compared = {_name(part["slice"]): part for part in comparison["slices"]}
    if missing := [name for name in policy.required if name not in compared]:
        raise DataError("gate.non_inferiority.required", f"no slice {', '.join(missing)} of {policy.min_utterances} utterances",
                        f"these slices among {', '.join(compared) or 'none'}", "enlarge the test set, or correct the params")
    rules = []
    for part, rows in slices(evidence.champion.rows.table, [[column] for column in policy.columns], 1):
        name = _name(part)
        if name not in compared:
            rules.append(disabled(f"non_inferiority {name}", policy.margin,
                                  f"{int(rows.sum())} utterances, fewer than {policy.min_utterances}"))
            continue
        found, slice_ = compared[name]["wer"]["difference"], compared[name]
        if found["low"] is None and (found["value"] is None or slice_["unit"] == "utterance"):
            raise DataError(f"slice {name}", "no interval", "two speakers or utterances with words", "raise min_utterances")
        if found["low"] is None:
            rules.append(Rule(f"non_inferiority {name}", True, found["value"], None, None, policy.margin, None,
                              f"undecided: no interval, since one speaker has all words of the slice; at least 2 speakers are needed, "
                              f"better {MIN_RESAMPLED}"))
            continue
        rules.append(at_most(f"non_inferiority {name}", found["value"], found["low"], found["high"], policy.margin,
                             "change in WER", f"{slice_['utterances']} utterances of {slice_['speakers']} speakers now", points=True))
    return rules or [Rule("non_inferiority", True, None, None, None, policy.margin, None,
                          f"undecided: no slice by {', '.join(policy.columns) or 'any column'}")]


def beats_baseline(policy: Baseline, comparison: dict[str, Any], baseline: str, units: str) -> Rule:
    """Return the rule that the challenger's greedy WER is below the baseline's by more than the margin.

    Passes if the whole interval of the difference is below 0 by at least the margin, fails if the challenger is worse.
    Between these, the rule is undecided: another seed could make up the difference.
    """
    found, limit = comparison["wer"]["difference"], 0.0 - policy.margin
    rule = at_most("beats_baseline", found["value"], found["low"], found["high"], limit, f"change in greedy WER against {baseline}", units,
                   points=True)
    if rule.passed is False and found["low"] <= 0:
        rule = replace(rule, passed=None, reason=f"undecided: {rule.reason}: seeds alone may differ as much")
    elif found["high"] == 0 == limit:
        rule = replace(rule, passed=None, reason="undecided: the interval ends at 0")
    return if_enabled(policy.enabled, rule)


def shown(evidence: Evidence, greedy: Mapping[str, Any]) -> list[Rule]:
    """Return the greedy WER difference to each further baseline, as disabled rules: the verdict does not depend on them."""
    rules = []
    for system in evidence.shown:
        found = greedy[system.name]["wer"]["difference"]
        rules.append(Rule(f"beats_baseline {system.name}", False, found["value"], found["low"], found["high"], None, None,
                          f"shown only: change in greedy WER against {system.name} {100 * found['value']:+.2f} points "
                          f"[{100 * found['low']:+.2f}, {100 * found['high']:+.2f}]"))
    return rules


def error_limit(name: str, policy: ErrorLimit, rate: Rate, what: str, units: str) -> Rule:
    """Return the rule that an error rate is at most an absolute limit."""
    return if_enabled(policy.enabled, at_most(name, rate.value, rate.low, rate.high, policy.limit, what, units))


def robustness(policy: Robustness, evidence: Evidence, resampling: Resampling) -> list[Rule]:
    """Return two rules per condition: on the challenger's WER, and on its difference to the champion's.

    Raises:
        DataError: challenger or champion has no result in a condition.
    """
    name = "robustness"
    if not policy.enabled:
        return [disabled(name)]
    rules = []
    for condition, limit in policy.max_wer.items():
        for system in (evidence.challenger, evidence.champion):
            if condition not in system.conditions:
                raise DataError(f"data/score/{system.name}.json", f"no robustness in {condition}", f"{', '.join(policy.max_wer)}",
                                f"add condition and system to transcribe.robustness, or remove {condition} from gate.robustness")
        challenger, champion = (system.conditions[condition] for system in (evidence.challenger, evidence.champion))
        check_same_utterances(champion.rows, challenger.rows)
        resampled = units_in(champion.rows.table)
        units = f"{resampled.number} {resampled.name}s now"
        change, _ = difference(champion.rows.words, challenger.rows.words, resampled, resampling)
        rules += [at_most(f"{name} {condition}", challenger.wer.value, challenger.wer.low, challenger.wer.high, limit, "WER", units),
                  at_most(f"{name} {condition}, change", change.value, change.low, change.high, policy.margin, "change in WER", units, points=True)]
    return rules or [Rule(name, True, None, None, None, None, None, "undecided: no condition has a limit")]


def data_reports(policy: DataReports, evidence: Evidence) -> list[Rule]:
    """Return four rules, each on the worst corpus or language: share rejected, share dropped, hours, speakers."""
    if not policy.enabled:
        return [disabled("data_reports")]
    rejected = max(evidence.corpora, key=lambda corpus: corpus.rejected / (corpus.rejected + corpus.ingested))
    dropped = max(evidence.corpora, key=lambda corpus: corpus.dropped / corpus.ingested)
    hours = {name: sum(corpus.hours for corpus in evidence.corpora if corpus.language == name) for name in policy.languages}
    speakers = {name: sum(corpus.speakers for corpus in evidence.corpora if corpus.language == name) for name in policy.languages}
    rules = []
    for name, worst, count, of, limit in (
        ("rejected", rejected, rejected.rejected, rejected.rejected + rejected.ingested, policy.max_rejected),
        ("dropped", dropped, dropped.dropped, dropped.ingested, policy.max_dropped),
    ):
        rules.append(point_rule(f"data_reports {name}", count / of, limit, count / of <= limit,
                          f"{count} of {of} utterances of {worst.name} {name}, the largest share of {len(evidence.corpora)} corpora"))
    for name, found, minimum in (("hours", hours, policy.min_hours), ("speakers", speakers, policy.min_speakers)):
        language, smallest = min(found.items(), key=lambda pair: pair[1])
        rules.append(point_rule(f"data_reports {name}", smallest, minimum, smallest >= minimum,
                                f"{smallest:,.4g} {name} of {language} kept in all splits together, at least {minimum:,.4g}"))
    return rules


def fact_rules(policy: Policy, evidence: Evidence) -> list[Rule]:
    """Return the rules on the challenger's facts: speed, size, training data, invariance, licences."""
    facts = evidence.challenger.facts
    size, max_size = facts["model_bytes"], policy.max_model_bytes.limit
    logit_difference, changed = facts["invariance"]["max_logit_difference"], facts["invariance"]["utterances_changed"]
    max_difference = policy.invariance.max_logit_difference
    return [
        if_enabled(policy.min_relative_speed.enabled, relative_speed(policy.min_relative_speed, evidence)),
        if_enabled(policy.max_model_bytes.enabled,
                   point_rule("max_model_bytes", size, max_size, size <= max_size, f"{size:,} bytes, at most {max_size:,}")),
        if_enabled(policy.certificate_clean.enabled,
                   point_rule("certificate_clean", evidence.leaked, 0, not evidence.leaked,
                              f"train, dev and test share {evidence.leaked or 'no'} speakers, sentences or recordings")),
        _not_trained_on_test(policy.not_trained_on_test, evidence),
        if_enabled(policy.invariance.enabled,
                   point_rule("invariance", logit_difference, max_difference, logit_difference <= max_difference and not changed,
                              f"in another batch a logit differs by {logit_difference:.1e} and {changed} utterances change")),
        _licences(policy.licences, evidence),
    ]


def relative_speed(policy: SpeedLimit, evidence: Evidence) -> Rule:
    """Return the rule that the challenger is fast enough relative to the reference workload, by the interval of the ratio.

    The rule contains no measured value, since a verdict must be equal in two runs. The values are in data/timing/gate/.
    """
    name, limit, speed = "min_relative_speed", policy.limit, evidence.speed
    passed, reason = None, f"undecided: the interval of the measured ratio includes the limit of {limit:g}"
    if speed is None:
        system = evidence.challenger.name
        reason = f"undecided: not measured for these weights; run `dvc repro --force --single-item transcribe@{system}`, then gate"
    elif speed.low >= limit:
        passed, reason = True, f"at least {limit:g} times as fast as the reference network (measured: data/timing/gate)"
    elif speed.high < limit:
        passed, reason = False, f"less than {limit:g} times as fast as the reference network (measured: data/timing/gate)"
    return Rule(name, True, None, None, None, limit, passed, reason)


def _not_trained_on_test(policy: TrainedOn, evidence: Evidence) -> Rule:
    name = "not_trained_on_test"
    overlap = sum(sum(overlap_with_training(system, evidence.speaker_dependent).values()) for system in evidence.systems)
    unknown = [system.name for system in evidence.systems if not system.facts["training_data_known"]]
    if unknown:
        handling = "accepted by the policy" if policy.accept_unknown else "the policy requires them"
        rule = point_rule(name, overlap, 0, policy.accept_unknown, f"training data of {', '.join(unknown)} are unknown: {handling}")
    else:
        rule = point_rule(name, overlap, 0, not overlap,
                          f"{overlap or 'no'} speakers, sentences or recordings of the test set are in the training data")
    return if_enabled(policy.enabled, rule)


def _licences(policy: Licences, evidence: Evidence) -> Rule:
    refused = {name or "none stated": count for name, count in sorted(evidence.licences.items()) if name not in policy.allowed}
    found = ", ".join(f"{count} utterances or sentences under {name}" for name, count in refused.items())
    reason = found or "all training data and texts are under allowed licences"
    return if_enabled(policy.enabled, point_rule("licences", sum(refused.values()), 0, not refused, reason))


def export_parity(policy: ExportParity, judged: Sequence[Judged]) -> Rule:
    """Return the rule that every shipped export keeps the WER of PyTorch. It passes: an export that does not is not shipped.

    Args:
        policy: whether exports are judged, and their margin.
        judged: the exports.
    """
    name, limit = "export_parity", policy.max_wer_difference
    if not policy.enabled:
        return disabled(name, limit, "not enabled: no export is shipped")
    parts = [f"{export.export.backend} is {SHIPPED if export.shipped else REFUSED}: {export.reason}" for export in judged]
    worst = max((export.rule for export in judged if export.shipped), key=lambda rule: rule.high or 0.0, default=None)
    interval = (worst.value, worst.low, worst.high) if worst else (None, None, None)
    return Rule(name, True, *interval, limit, True, "; ".join(parts) or "no export; parity.json states why")


def _name(part: dict[str, str]) -> str:
    return ",".join(f"{column}={value}" for column, value in part.items())


# ---- Self-test ------------------------------------------------------------------------------------------------------


def self_test(policy: Policy, evidence: Evidence) -> dict[str, Any]:
    """Return the verdicts on the planted challengers and exports, as `self_test` in `vizinho.verdict/5`.

    The policy's rules on hypotheses apply. Absolute limits and the rules on speed, size, licences, conditions and data
    are disabled, since a planted challenger has no such facts.

    Raises:
        PipelineError: a planted challenger got an unexpected verdict, so the gate is unreliable.
    """
    if not policy.improvement.enabled:
        return {"passed": None, "planted": []}
    disabled_rules = {name: getattr(policy, name).model_copy(update={"enabled": False})
           for name in ("max_wer", "max_cer", "min_relative_speed", "max_model_bytes", "invariance", "licences", "export_parity", "robustness",
                        "data_reports")}
    hypothesis_policy = policy.model_copy(update={
        **disabled_rules, "resamples": RESAMPLING.resamples, "non_inferiority": policy.non_inferiority.model_copy(update={"required": ()}),
        "not_trained_on_test": policy.not_trained_on_test.model_copy(update={"enabled": True, "accept_unknown": True}),
    })
    guarded = policy.non_inferiority.columns if policy.non_inferiority.enabled else ()
    entries = []
    for planted in planted_challengers(evidence, guarded, policy.non_inferiority.min_utterances):
        if planted.evidence is None:
            entries.append(planted_entry(planted, "not tested"))
            continue
        try:
            found = str(apply_rules(hypothesis_policy, planted.evidence)[0])
        except PipelineError:
            found = "failure"
        entries.append(planted_entry(planted, found))
    if policy.export_parity.enabled:
        entries += planted_export_entries(evidence.challenger, policy.export_parity.max_wer_difference, policy.invariance.max_logit_difference)
    if wrong := [entry for entry in entries if entry["passed"] is False]:
        raise PipelineError("gate self-test", "; ".join(f"{entry['name']}: {entry['found']}, not {entry['expected']}" for entry in wrong),
                            "the expected verdicts", "the test set is too small, or the policy too lax, for a reliable verdict")
    return {"passed": True, "planted": entries}


# ---- Power ----------------------------------------------------------------------------------------------------------


def power_of(policy: Policy, evidence: Evidence, rules: Sequence[Rule]) -> dict[str, Any] | None:
    """Return what this test set can decide, as `power` in `vizinho.verdict/5`; None if `improvement` is disabled.

    The rules that compare the challenger with the champion count: improvement, slices, change in each condition.

    Args:
        policy: the gate's policy.
        evidence: the systems.
        rules: the rules of the verdict.
    """
    if not policy.improvement.enabled:
        return None
    by_name = {rule.name: rule for rule in rules if rule.enabled}
    challenger, champion = evidence.challenger.rows, evidence.champion.rows
    table, units = champion.table, units_in(champion.table)

    def margin(name: str, rows: Mask, counts: tuple[Counts, Counts], part: Part, size: int, unit: str,
               matched_pairs: float | None = None) -> Margin:
        rule = by_name[name]
        assert rule.limit is not None
        reach = math.inf if rule.value is None or rule.high is None else rule.high - rule.value
        return Margin(name, *counts, units.code_B[rows], rule.limit, reach, part, size, unit, matched_pairs)

    everything = np.ones(len(table), dtype=bool)
    margins = [margin("improvement", everything, (champion.words, challenger.words), "test set", units.number, units.name,
                      matched_pairs=spent_level(policy.alpha, policy.gates_since_promotion))]
    for part, rows in slices(table, [[column] for column in policy.non_inferiority.columns], 1):
        if (name := f"non_inferiority {_name(part)}") in by_name:
            own = units_of(table.loc[rows, "speaker"], units.name)
            margins.append(margin(name, rows, (champion.words.of(rows), challenger.words.of(rows)), "test set", own.number, own.name))
    for condition in evidence.champion.conditions:
        if (name := f"robustness {condition}, change") in by_name:
            degraded = [system.conditions[condition].rows for system in (evidence.champion, evidence.challenger)]
            rows = np.isin(table["utterance_id"], degraded[0].table["utterance_id"])
            margins.append(margin(name, rows, (degraded[0].words, degraded[1].words), "conditions", int(rows.sum()), "utterance"))
    return power(margins, units.number, policy.seed)


# ---- The verdict ----------------------------------------------------------------------------------------------------


def system_entry(served: System, greedy: System) -> dict[str, Any]:
    """Return a system's entry in the verdict: its identity and error rates."""
    facts = served.facts
    return {"system": served.name, "model": facts.get("model"), "weights_hash": facts.get("weights_hash"),
            "vocabulary_hash": facts["vocabulary_hash"], "decoder": facts["decoder"], "test_set": served.test_set, "normaliser": served.normaliser,
            "wer": greedy.wer.value, "cer": greedy.cer.value, "wer_served": served.wer.value, "cer_served": served.cer.value}


def make_verdict(policy: Policy, evidence: Evidence) -> dict[str, Any]:
    """Return the verdict as `vizinho.verdict/5`."""
    verdict, rules, comparisons = apply_rules(policy, evidence)
    if policy.self_test.enabled:
        tested = self_test(policy, evidence)
        planted = sum(entry["passed"] is True for entry in tested["planted"])
        summary = f"{planted} planted challengers{' and exports' if policy.export_parity.enabled else ''} got their expected verdicts"
        rules.append(point_rule("self_test", 0, 0, True, summary) if tested["passed"] else
                     disabled("self_test", 0, "not run, since nothing can be promoted"))
    else:
        tested = {"passed": None, "planted": []}
        rules.append(disabled("self_test", 0))
    gates = policy.gates_since_promotion
    estimated = power_of(policy, evidence, rules)
    challenger, champion, _ = zip(evidence.systems, evidence.greedy_systems[:3], strict=True)
    return {
        "schema": SCHEMA, "verdict": verdict, "challenger": system_entry(*challenger), "champion": system_entry(*champion),
        "period": {"gates_before": gates, "one_sided_level": spent_level(policy.alpha, gates)},
        "rules": [rule.as_json() for rule in rules], **comparisons, "self_test": tested, "power": estimated,
    }


def rules_table(verdict: dict[str, Any]) -> str:
    """Return the verdict's rules as a text table, the power of the test set, and the verdict as the last line."""
    rows = [(rule["name"], outcome_of(rule), _plain(rule["value"]),
             f"{_plain(rule['low'])} .. {_plain(rule['high'])}" if rule["low"] is not None else "", _plain(rule["limit"]), rule["reason"])
            for rule in verdict["rules"]]
    head = ("rule", "outcome", "value", "interval", "limit", "reason")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(5)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]) for row in (head, *rows)]
    names = verdict["challenger"]["system"], verdict["champion"]["system"]
    power = [f"power: {entry['reason']}" for entry in (verdict["power"] or {"gains": ()})["gains"]]
    return "\n".join([*lines, *power, f"gate: {verdict['verdict']}, {names[0]} against {names[1]}"])


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def run(root: Path | str = ROOT) -> None:
    """Write the verdict, record the relative speed in data/timing/, and print the rules."""
    root = Path(root)
    policy = load_section(Policy, "gate", path=root / "params.yaml")
    if unknown := sorted(set(policy.non_inferiority.columns) - set(SLICES)):
        raise DataError("gate.non_inferiority.columns", ", ".join(unknown), f"columns of {', '.join(SLICES)}", "correct the params")
    licensed = (*policy.licences.tables, *policy.licences.texts) if policy.licences.enabled else ()
    evidence = read_evidence(root, policy.challenger, policy.baseline, licensed,
                             policy.data_reports.languages if policy.data_reports.enabled else (),
                             shown=() if policy.longer_baseline == policy.baseline else (policy.longer_baseline,))
    if policy.export_parity.enabled:
        evidence = replace(evidence, exports=read_exports(root, evidence.challenger))
    params = read_params(root / "params.yaml")
    check_scores(root, evidence, int((params.get("score") or {}).get("seed", 0)))
    evidence = with_intervals(evidence, Resampling(policy.level, policy.resamples, policy.seed))
    verdict = make_verdict(policy, evidence) | {"policy_hash": policy_hash(params)}
    write_json(root / "data/gate/verdict.json", verdict)
    record_timing("gate", root, relative_speed=None if evidence.speed is None else asdict(evidence.speed))
    log(rules_table(verdict))


if __name__ == "__main__":
    stage_main(run)
