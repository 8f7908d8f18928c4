"""Rates of promotion of challengers that are no better, better and worse: a simulation of whole verdicts.

    python benchmarks/gate_rates.py [--challengers 1000]

24 test speakers of 25 utterances, WER 0.25 with a log-normal spread of 0.4 between speakers, two locales guarded by
non-inferiority. Challengers make their errors independently of the champion; gains are relative. Every challenger is
the first of its period, where the gate is most lenient: the error level shrinks with each later gate.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.core.progress import bar
from pipeline.gate import Policy, apply_rules
from pipeline.scoring.counts import Counts
from pipeline.scoring.evidence import Evidence, System, rescored
from pipeline.scoring.rules import spent_level
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Scored

SPEAKERS, EACH, WORDS, CHARACTERS = 24, 25, 8, 45
OFF = {"enabled": False}
POLICY = Policy.model_validate({
    "challenger": "transfer", "baseline": "scratch", "alpha": 0.05, "gates_since_promotion": 0, "level": 0.95, "resamples": 2_000, "seed": 0,
    "improvement": {"enabled": True}, "max_wer": {**OFF, "limit": 1}, "max_cer": {**OFF, "limit": 1},
    "min_relative_speed": {**OFF, "limit": 0}, "max_model_bytes": {**OFF, "limit": 1},
    "non_inferiority": {"enabled": True, "margin": 0.05, "columns": ["locale"], "min_utterances": 50},
    "beats_baseline": OFF, "certificate_clean": OFF, "not_trained_on_test": {**OFF, "accept_unknown": False},
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


def main() -> None:
    """Print the share of each verdict by the real gain of the challenger."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challengers", type=int, default=1_000)
    number = parser.parse_args().challengers
    print(f"declared: one-sided level {spent_level(POLICY.alpha, 0):.3f} for this gate, {POLICY.alpha} for its period")
    print(f"{'real gain':>10} {'promoted':>10} {'inconclusive':>13} {'rejected':>10}   of {number} challengers")
    for gain in (0.0, 0.02, 0.05, 0.1, -0.1):
        generator = np.random.default_rng(1)
        verdicts: Counter[str] = Counter()
        with bar(number, "challengers", f"gain {gain:.0%}") as progress:
            for _ in range(number):
                own_S = np.minimum(0.25 * generator.lognormal(-0.08, 0.4, size=SPEAKERS), 0.9)
                rate_B = np.tile(own_S, EACH)
                champion, challenger = system("champion", rate_B, generator), system("transfer", rate_B * (1 - gain), generator)
                evidence = Evidence(challenger, champion, replace(champion, name="scratch"), 0, {}, speaker_dependent=False)
                verdicts[apply_rules(POLICY, evidence)[0]] += 1
                progress.update()
        print(f"{gain:>10.0%} " + " ".join(f"{verdicts[name] / number:>{width}.1%}" for name, width in
                                           (("promote", 10), ("inconclusive", 13), ("reject", 10))), flush=True)


if __name__ == "__main__":
    main()
