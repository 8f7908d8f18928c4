"""Outcomes of the trials and their correlation with the predictions: pure functions.

Shape suffixes: N starts, S seeds, K speakers, R resamples, P pairs of starts.

Sources: Spearman, "The proof and measurement of association between two things" (1904); Kendall, "Rank correlation methods" (1948),
chapter 3, for tau-b.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any, Final

import jiwer
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from pipeline.scoring.counts import align, count

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CLASSES: Final[Mapping[str, re.Pattern[str]]] = {
    "nasal vowels ã õ": re.compile("[ãõ]"),
    "nh, lh": re.compile("[nl]h"),
    "s, z, ç": re.compile("[szç]"),
    "other accents": re.compile("[áâàéêíóôú]"),
    "final a, e, o": re.compile("[aeo](?= |$)"),
    "all letters": re.compile("[^ ]"),
}
"""Letters of a reference whose errors are counted separately, as patterns."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors and reference lengths of several starts, by seed and speaker, in words or characters.

    Args:
        starts: names, (N).
        errors_NSK: errors.
        reference_SK: words or characters of the references; the same for every start.
    """

    starts: tuple[str, ...]
    errors_NSK: Integers
    reference_SK: Integers

    def rates_N(self) -> Floats:
        """Return the error rate of each start: all errors over all reference words, seeds together."""
        rates: Floats = self.errors_NSK.sum((1, 2)) / self.reference_SK.sum()
        return rates

    def resampled_RN(self, resamples: int, seed: int) -> Floats:
        """Return error rates of resampled speakers and seeds, drawn independently; every start has the same draws.

        Args:
            resamples: R.
            seed: of the random generator.
        """
        draw = np.random.default_rng(seed)
        _, seeds, speakers = self.errors_NSK.shape
        seed_RS = draw.multinomial(seeds, np.full(seeds, 1 / seeds), resamples).astype(np.float64)
        speaker_RK = draw.multinomial(speakers, np.full(speakers, 1 / speakers), resamples).astype(np.float64)
        top_RN = np.einsum("rs,nsk,rk->rn", seed_RS, self.errors_NSK.astype(np.float64), speaker_RK, optimize=True)
        bottom_R = np.einsum("rs,sk,rk->r", seed_RS, self.reference_SK.astype(np.float64), speaker_RK, optimize=True)
        rates_RN: Floats = top_RN / bottom_R[:, None]
        return rates_RN


def errors_of(hypotheses: pd.DataFrame, tokens: str) -> Errors:
    """Return the errors of hypotheses by start, seed and speaker.

    Args:
        hypotheses: columns start, seed, utterance_id, speaker, reference, hypothesis; every start has the same utterances and seeds.
        tokens: `words` or `characters`.
    """
    counts = count(align(hypotheses["reference"].tolist(), hypotheses["hypothesis"].tolist(), tokens))  # type: ignore[arg-type]
    starts, speakers = list(dict.fromkeys(hypotheses["start"])), sorted(set(hypotheses["speaker"]))
    seeds = sorted(set(hypotheses["seed"]))
    at = tuple(hypotheses[name].map({value: number for number, value in enumerate(values)}).to_numpy()
               for name, values in (("start", starts), ("seed", seeds), ("speaker", speakers)))
    errors_NSK, reference_NSK = (np.zeros((len(starts), len(seeds), len(speakers)), np.int64) for _ in range(2))
    np.add.at(errors_NSK, at, counts.errors_B)
    np.add.at(reference_NSK, at, counts.reference_B)
    if (reference_NSK != reference_NSK[:1]).any():
        raise ValueError("the starts have different utterances or seeds")
    return Errors(tuple(starts), errors_NSK, reference_NSK[0])


def bounds(values_R: Floats, level: float) -> tuple[float, float]:
    """Return the percentile interval of resampled values."""
    low, high = np.quantile(values_R, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def spearman(nearness_N: Floats, rates_RN: Floats) -> Floats:
    """Return Spearman's correlation of nearness with the benefit, (R,): positive if the nearer donor has the lower error rate.

    Args:
        nearness_N: higher is nearer.
        rates_RN: error rates, lower is better.
    """
    near_N, good_RN = rankdata(nearness_N), rankdata(-rates_RN, axis=1)
    near_N, good_RN = near_N - near_N.mean(), good_RN - good_RN.mean(1, keepdims=True)
    scale_R = np.sqrt((near_N**2).sum() * (good_RN**2).sum(1))
    found: Floats = np.divide(good_RN @ near_N, scale_R, out=np.zeros(len(rates_RN)), where=scale_R > 0)
    return found


def kendall(nearness_N: Floats, rates_RN: Floats) -> Floats:
    """Return Kendall's tau-b of nearness with the benefit, (R,); arguments and sign are those of `spearman`."""
    pairs = list(combinations(range(len(nearness_N)), 2))
    first, second = np.array(pairs).T
    near_P, good_RP = np.sign(nearness_N[first] - nearness_N[second]), np.sign(rates_RN[:, second] - rates_RN[:, first])
    scale_R = np.sqrt(np.abs(near_P).sum() * np.abs(good_RP).sum(1))
    found: Floats = np.divide(good_RP @ near_P, scale_R, out=np.zeros(len(rates_RN)), where=scale_R > 0)
    return found


def permutation_p(nearness_N: Floats, rates_N: Floats) -> float:
    """Return the exact two-sided p-value of Spearman's correlation: the share of all orders of the donors with one as far from 0."""
    orders = np.array(list(permutations(range(len(rates_N)))))
    found_R = np.abs(spearman(nearness_N, rates_N[orders]))
    return float((found_R >= np.abs(spearman(nearness_N, rates_N[None]))[0] - 1e-12).mean())


def correlation(nearness: Mapping[str, float], errors: Errors, level: float, resamples: int, seed: int) -> dict[str, Any]:
    """Return the rank correlations of a prediction with the outcome, over the starts that have a prediction.

    Args:
        nearness: by start; higher is nearer.
        errors: of the trials.
        level: of the intervals.
        resamples: of speakers and seeds.
        seed: of the resampling.
    """
    chosen = [number for number, start in enumerate(errors.starts) if start in nearness]
    near_N = np.array([nearness[errors.starts[number]] for number in chosen])
    rates_N, rates_RN = errors.rates_N()[chosen], errors.resampled_RN(resamples, seed)[:, chosen]
    best = [errors.starts[chosen[number]] for number in (int(near_N.argmax()), int(rates_N.argmin()))]
    found: dict[str, Any] = {"donors": len(chosen), "predicted_best": best[0], "measured_best": best[1],
                             "predicted_is_best": float((rates_RN.argmin(1) == near_N.argmax()).mean()),
                             "p_permutation": permutation_p(near_N, rates_N)}
    for name, measure in (("spearman", spearman), ("kendall", kendall)):
        low, high = bounds(measure(near_N, rates_RN), level)
        found[name] = {"value": float(measure(near_N, rates_N[None])[0]), "low": low, "high": high}
    return found


def predictions(ranking: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return each prediction of `ranking.json` as nearness by language: its score, its levels, its measures; higher is nearer.

    Args:
        ranking: content of the file.
    """
    found: dict[str, dict[str, float]] = {"score": {}}
    found |= {level["level"]: {language: one["value"] for language, one in level["values"].items()} for level in ranking["levels"]}
    sign = {measure["name"]: 1.0 if measure["nearer"] == "higher" else -1.0 for measure in ranking["measures"] if measure["discriminates"]}
    for candidate in ranking["candidates"]:
        language = candidate["language"]
        found["score"][language] = candidate["score"]["value"]
        for name, measure in candidate["measures"].items():
            if name in sign:
                found.setdefault(f"measure {name}", {})[language] = sign[name] * measure["value"]
    return found


def hits(reference: str, hypothesis: str) -> npt.NDArray[np.bool_]:
    """Return for each letter of a reference whether the alignment has it right."""
    right = np.zeros(len(reference), bool)
    if reference and hypothesis:
        for chunk in jiwer.process_characters(reference, hypothesis).alignments[0]:
            if chunk.type == "equal":
                right[chunk.ref_start_idx : chunk.ref_end_idx] = True
    return right


def mistakes(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, Any]:
    """Return the error rate of each class of letters (a digraph is wrong if a letter of it is), its size, and the commonest substitutions."""
    wrong: Counter[str] = Counter()
    total: Counter[str] = Counter()
    substitutions: Counter[str] = Counter()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        right = hits(reference, hypothesis)
        for name, pattern in CLASSES.items():
            for match in pattern.finditer(reference):
                total[name] += 1
                wrong[name] += not right[match.start() : match.end()].all()
        if reference and hypothesis:
            for chunk in jiwer.process_characters(reference, hypothesis).alignments[0]:
                if chunk.type == "substitute":
                    substitutions.update(f"{one}→{other}" for one, other in zip(reference[chunk.ref_start_idx : chunk.ref_end_idx],
                                                                               hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx], strict=True))
    return {"classes": {name: {"rate": wrong[name] / total[name], "letters": total[name]} for name in CLASSES if total[name]},
            "substitutions": dict(substitutions.most_common(8))}


def steps_to(history: pd.DataFrame, cer: float) -> int | None:
    """Return the step of the first evaluation with a dev CER of at most `cer`, None if there is none."""
    reached = history.loc[history["dev_cer"] <= cer, "step"]
    return int(reached.iloc[0]) if len(reached) else None
