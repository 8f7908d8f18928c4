"""Time of a bootstrap interval on a large test set, compared with jiwer in a naive bootstrap loop.

    python benchmarks/score.py [--utterances 100000] [--resamples 10000]

The naive loop draws utterances and calls jiwer on every draw; it is timed on two resamples and extrapolated.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import jiwer
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.scoring.bootstrap import interval, units_of
from pipeline.scoring.counts import align, count


def main() -> None:
    """Print the seconds of alignment, of the intervals and of the naive loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    lexicon = np.array([f"palavra{index}" for index in range(5_000)])
    lengths = generator.integers(3, 14, size=arguments.utterances)
    references = [" ".join(generator.choice(lexicon, size=length)) for length in lengths]
    hypotheses = [" ".join("xxx" if generator.random() < 0.2 else word for word in text.split()) for text in references]

    began = time.perf_counter()
    counts = count(align(references, hypotheses, "words"))
    aligned_s = time.perf_counter() - began
    print(f"{arguments.utterances} utterances, {arguments.resamples} resamples")
    print(f"alignment, once                      {aligned_s:10.2f} s")
    for name, speakers in (("utterances", [""] * arguments.utterances),
                           ("2 000 speakers", [f"s{index % 2_000}" for index in range(arguments.utterances)])):
        units = units_of(speakers)
        began = time.perf_counter()
        found = interval(units.sums(counts.errors_B, counts.reference_B), 0.95, arguments.resamples, seed=0)
        print(f"interval over {name:<22} {time.perf_counter() - began:10.2f} s    {found.value:.4f} ({found.low:.4f} to {found.high:.4f})")
    began = time.perf_counter()
    for _ in range(2):
        drawn = generator.integers(arguments.utterances, size=arguments.utterances)
        jiwer.wer([references[index] for index in drawn], [hypotheses[index] for index in drawn])
    naive_s = (time.perf_counter() - began) / 2
    print(f"jiwer in a naive loop, one resample  {naive_s:10.2f} s    {naive_s * arguments.resamples / 3600:.1f} hours for all (extrapolated)")


if __name__ == "__main__":
    main()
