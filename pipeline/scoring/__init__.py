"""Error rates that can be trusted: alignment counts, corpus rates, intervals, slices, paired tests.

The only place of jiwer. Rates are fractions and always of the corpus (all errors over all reference words or
characters), never a mean of utterances.

    counts.py      what went right and wrong in each utterance
    bootstrap.py   intervals and p-values by resampling speakers
    paired.py      matched-pairs test, correction for many slices
    utterances.py  the rows that are scored: which, of whom, in which slices
    scorecard.py   `vizinho.score/2`
    comparison.py  `vizinho.compare/1`
    analysis.py    which words and characters go wrong, calibration of the confidence
    robustness.py  the same test set in noise, over a telephone, at another speed
    evidence.py    what the gate judges, and whether it can be judged
    rules.py       the gate's rules: passed, failed or undecided
    planted.py     planted challengers, by which the gate is tested in every run
"""
