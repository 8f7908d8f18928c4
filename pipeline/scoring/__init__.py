"""Error rates: alignment counts, corpus rates, intervals, slices, paired tests.

Only this package uses jiwer. Rates are fractions and always of the corpus (all errors over all reference words or
characters), never a mean of utterances.

    counts.py      hits and errors of each utterance
    bootstrap.py   intervals and p-values over speakers: resampling, or Student's t if they are few or very unequal
    paired.py      matched-pairs test, correction for many slices
    utterances.py  the rows that are scored, and their slices
    scorecard.py   `vizinho.score/3`
    comparison.py  `vizinho.compare/1`
    analysis.py    confused words and characters, calibration of the confidence
    robustness.py  the same test set in noise, over a telephone, at another speed
    evidence.py    the evidence of a gate, and whether it is comparable
    rules.py       the gate's rules: pass, fail, undecided or disabled
    planted.py     planted challengers, which test the gate in every run
    power.py       which true gains a test set can decide
"""
