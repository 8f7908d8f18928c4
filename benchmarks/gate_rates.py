"""Error rates of the gate, by simulation: whole verdicts, and its intervals on test sets of several shapes.

    python benchmarks/gate_rates.py verdicts [--repeats 1000]
    python benchmarks/gate_rates.py test-sets [--repeats 3000]

verdicts: rates of promotion of challengers that are no better, better and worse. 24 test speakers of 25 utterances, WER
0.25 with a log-normal spread of 0.4 between speakers, two locales guarded by non-inferiority. Challengers make their errors
independently of the champion; gains are relative. Every challenger is the first of its period, where the gate is most
lenient: the error level shrinks with each later gate.

test-sets: every system has a WER of 0.37 and its own effects on the speakers, besides one that all systems share. The
intra-class correlation of the difference of two systems is 0.057, that of a WER 0.09. Utterances have 4 to 12 words. Three
methods are compared: the percentile interval over resampled utterances (of few speakers only), the same over speakers, and
the gate's rule.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.core.progress import bar
from pipeline.gate import Policy, apply_rules
from pipeline.scoring.bootstrap import MIN_RESAMPLED, Interval, interval, percentile
from pipeline.scoring.counts import Counts
from pipeline.scoring.evidence import Evidence, System, rescored
from pipeline.scoring.paired import mapsswe
from pipeline.scoring.rules import spent_level
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Scored

SPEAKERS, EACH, WORDS, CHARACTERS = 24, 25, 8, 45
OFF = {"enabled": False}
POLICY = Policy.model_validate({
    "challenger": "transfer", "baseline": "scratch", "longer_baseline": "scratch",
    "alpha": 0.05, "gates_since_promotion": 0, "level": 0.95, "resamples": 2_000, "seed": 0,
    "improvement": {"enabled": True}, "max_wer": {**OFF, "limit": 1}, "max_cer": {**OFF, "limit": 1},
    "min_relative_speed": {**OFF, "limit": 0}, "max_model_bytes": {**OFF, "limit": 1},
    "non_inferiority": {"enabled": True, "margin": 0.05, "columns": ["locale"], "min_utterances": 50},
    "beats_baseline": {**OFF, "margin": 0}, "certificate_clean": OFF, "not_trained_on_test": {**OFF, "accept_unknown": False},
    "invariance": {**OFF, "max_logit_difference": 0}, "licences": {**OFF, "allowed": [], "tables": []}, "self_test": OFF,
    "export_parity": {**OFF, "max_wer_difference": 0}, "robustness": {**OFF, "max_wer": {}, "margin": 0},
    "data_reports": {**OFF, "languages": ["portuguese"], "max_rejected": 1, "max_dropped": 1, "min_hours": 0, "min_speakers": 0},
})
FACTS = {"model_bytes": 1, "invariance": {"max_logit_difference": 0.0, "utterances_changed": 0},
         "trained_on_test": {"speakers": 0, "sentences": 0, "recordings": 0}, "training_data_known": True}
TABLE = pd.DataFrame({
    "utterance_id": [f"u{index:04d}" for index in range(SPEAKERS * EACH)], "speaker": [f"s{index % SPEAKERS}" for index in range(SPEAKERS * EACH)],
    "locale": ["pt-BR" if index % 2 else "pt-PT" for index in range(SPEAKERS * EACH)], "reference": "",
})


def system(name: str, rate_B: np.ndarray, generator: np.random.Generator) -> System:
    """Return a system whose word and character error rates in each utterance are `rate_B`."""
    def counts(tokens: int) -> Counts:
        wrong_B = generator.binomial(tokens, rate_B)
        none_B = np.zeros_like(wrong_B)
        return Counts(wrong_B, none_B, none_B, tokens - wrong_B)

    rows = Scored(TABLE, counts(WORDS), counts(CHARACTERS))
    return rescored(System(name, rows, "", "pt-BR/1", None, None, FACTS), rows, Resampling(resamples=1_000))  # type: ignore[arg-type]


def verdicts(repeats: int) -> None:
    """Print the share of each verdict by the real gain of the challenger."""
    print(f"declared: one-sided level {spent_level(POLICY.alpha, 0):.3f} for this gate, {POLICY.alpha} for its period")
    print(f"{'real gain':>10} {'promoted':>10} {'inconclusive':>13} {'rejected':>10}   of {repeats} challengers")
    for gain in (0.0, 0.02, 0.05, 0.1, -0.1):
        generator = np.random.default_rng(1)
        found: Counter[str] = Counter()
        with bar(repeats, "challengers", f"gain {gain:.0%}") as progress:
            for _ in range(repeats):
                own_S = np.minimum(0.25 * generator.lognormal(-0.08, 0.4, size=SPEAKERS), 0.9)
                rate_B = np.tile(own_S, EACH)
                champion, challenger = system("champion", rate_B, generator), system("transfer", rate_B * (1 - gain), generator)
                evidence = Evidence(challenger, champion, replace(champion, name="scratch"), 0, {}, speaker_dependent=False)
                found[apply_rules(POLICY, evidence)[0]] += 1
                progress.update()
        print(f"{gain:>10.0%} " + " ".join(f"{found[name] / repeats:>{width}.1%}" for name, width in
                                           (("promote", 10), ("inconclusive", 13), ("reject", 10))), flush=True)


# ---- Test sets ------------------------------------------------------------------------------------------------------

WER, SHARED, OWN = 0.37, 0.0335, 0.042
"""Word error rate of every system; standard deviation between speakers of the effect that systems share, and of their own."""
MARGIN, GATES, RESAMPLES = 0.02, 10, 1_000
UNEQUAL = [max(1, round(8 * math.exp(1.3 * NormalDist().inv_cdf((rank + 0.5) / 100)))) for rank in range(100)]
"""Utterances of 100 very unequal speakers: log-normal, 1 to 228."""
TEST_SETS = {"5 x 30": [30] * 5, "8 x 15": [15] * 8, "9 x 15": [15] * 9, "9 x 60": [60] * 9, "32 x 15": [15] * 32,
             "100 unequal": UNEQUAL}
Method = Callable[..., Interval]
METHODS: dict[str, tuple[bool, Method]] = {
    "utterances": (False, percentile), "speakers": (True, percentile), "the gate": (True, interval),
}
"""Name of a method to whether its units are speakers, and its interval."""
MEASURES = {"false promotion": 0.025, "in ten gates": 0.05, "coverage": 0.95, "at the margin": 0.025}
"""Name of a measured rate to the declared one."""


def repeat(sizes: Sequence[int], generator: np.random.Generator) -> dict[str, dict[str, bool]]:
    """Return by method which events happened on one simulated test set, as in `MEASURES`.

    Args:
        sizes: number of utterances of each speaker.
        generator: of the errors.
    """
    code_B = np.repeat(np.arange(len(sizes)), sizes)
    words_B = generator.integers(4, 13, size=len(code_B))
    shared_S = generator.normal(0, SHARED, size=len(sizes))

    def errors(change: float = 0.0) -> np.ndarray:
        rate_S = np.clip(WER + change + shared_S + generator.normal(0, OWN, size=len(sizes)), 0.0, 1.0)
        return generator.binomial(words_B, rate_S[code_B])

    champion_B, worse_B, equal = errors(), errors(MARGIN), [errors() for _ in range(GATES)]
    seed = int(generator.integers(2**31))

    def by_unit(values_B: np.ndarray, by_speaker: bool) -> np.ndarray:
        sums = [np.bincount(code_B, weights=values) if by_speaker else values for values in (values_B, words_B)]
        return np.stack(sums, axis=1).astype(np.int64)

    found = {}
    for name, (by_speaker, method) in METHODS.items():
        if not by_speaker and len(sizes) >= MIN_RESAMPLED:
            continue

        def promotes(challenger_B: np.ndarray, gates: int, by_speaker: bool = by_speaker, method: Method = method) -> bool:
            sums_U2, level = by_unit(challenger_B - champion_B, by_speaker), spent_level(POLICY.alpha, gates)
            return sums_U2[:, 0].sum() < 0 and mapsswe(sums_U2[:, 0]) / 2 < level and method(sums_U2, 1 - 2 * level, RESAMPLES, seed).high < 0

        rate = method(by_unit(champion_B, by_speaker), 0.95, RESAMPLES, seed)
        found[name] = {
            "false promotion": promotes(equal[0], 0), "in ten gates": any(promotes(challenger_B, gates) for gates, challenger_B in enumerate(equal)),
            "coverage": rate.low <= WER <= rate.high,
            "at the margin": method(by_unit(worse_B - champion_B, by_speaker), 0.95, RESAMPLES, seed).high <= MARGIN,
        }
    return found


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a simulated rate. Source: Wilson (J. Am. Stat. Assoc. 22, 1927)."""
    z = NormalDist().inv_cdf(0.975)
    centre, reach = (count + z**2 / 2) / (of + z**2), z / (of + z**2) * math.sqrt(count * (of - count) / of + z**2 / 4)
    return centre - reach, centre + reach


def test_sets(repeats: int) -> None:
    """Print the simulated rates of every test set and method, with their intervals, in percent."""
    print("declared".ljust(26) + "".join(f"{name} {declared:.1%}".rjust(28) for name, declared in MEASURES.items()))
    for label, sizes in TEST_SETS.items():
        generator = np.random.default_rng(1)
        counts: dict[str, Counter[str]] = {name: Counter() for name in METHODS}
        with bar(repeats, "test sets", label) as progress:
            for _ in range(repeats):
                for name, events in repeat(sizes, generator).items():
                    counts[name].update(event for event, happened in events.items() if happened)
                progress.update()
        for name, found in counts.items():
            if not found:
                continue
            cells = [f"{100 * found[event] / repeats:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
                     for event in MEASURES for low, high in (wilson(found[event], repeats),)]
            print(f"{label:<14}{name:<12}" + "".join(cell.rjust(28) for cell in cells), flush=True)


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("verdicts", "test-sets"))
    parser.add_argument("--repeats", type=int, help="simulated test sets; default 1000 for verdicts, 3000 for test-sets")
    arguments = parser.parse_args()
    if arguments.table == "verdicts":
        verdicts(arguments.repeats or 1_000)
    else:
        test_sets(arguments.repeats or 3_000)


if __name__ == "__main__":
    main()
