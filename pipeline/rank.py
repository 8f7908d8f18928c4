"""Stage `rank`: order candidate donor languages by their similarity to the target, by measures that need no speech.

Reads   data/tokenise/portuguese/vocabulary.json and report.json (the target's letters and how often each occurs in the
        training text; before `tokenise`, the letters of the word list), pipeline/similarity/*.tsv
Writes  data/rank/ranking.json (`vizinho.rank/2`)
Params  rank

Three families of evidence, each on the same 100 concepts:

- *lexical*: similarity of the words, in spelling and in sound;
- *phonological*: similarity of the sounds, independent of meaning;
- *orthographic*: how useful a transferred CTC head is: which letters have a row to start from, and whether that row
  stands for the right sound.

The combination has no weights to tune. Each measure gets a sign so that higher is nearer and is standardised over the
candidates (mean 0, deviation 1), so that a small spread counts as much as a large one. A family is the mean of its
measures, the score the mean of the families. A measure with equal values for all candidates is left out. The score is
relative to the candidates: an additional one changes all scores. If the interval of the first candidate's lead over
another contains 0, the ranking lists that candidate, and the choice needs other evidence (a measured transfer, the hours
of speech in a donor's training).

Uncertainty: a bootstrap over concepts, the same resamples for all candidates. Intervals are value ± 1.96 deviations of
the resamples; percentiles would be biased, since a resample has fewer different words and so fewer sounds than the list.
The intervals do not cover the choice of the words and the quality of eSpeak NG's voices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator

from pipeline.core.errors import DataError
from pipeline.core.files import read_json, write_json
from pipeline.core.params import PARAMS_FILE, Section, load_section
from pipeline.core.progress import log, stage_line
from pipeline.core.stage import stage_main
from pipeline.similarity import measures
from pipeline.similarity.letters import Chunk, letter_sounds, row_for
from pipeline.similarity.measures import Array
from pipeline.similarity.phonemes import asjp, phonemise, segments
from pipeline.similarity.tables import Language, read_languages, read_words

SCHEMA: Final = "vizinho.rank/2"
LEVEL: Final = 0.95


class Params(Section):
    """`rank` in params.yaml."""

    target: Literal["pt-BR", "pt-PT"] = Field(description="the language to recognise, by its standard variety")
    candidates: tuple[str, ...] = Field(min_length=2, description="possible donors: codes of similarity/languages.tsv")
    resamples: int = Field(ge=100, le=10_000, description="bootstrap resamples of the concepts; 1000 fix an interval's 2nd digit")
    seed: int = Field(ge=0, description="of the resamples")

    @field_validator("candidates")
    @classmethod
    def _known(cls, candidates: tuple[str, ...]) -> tuple[str, ...]:
        languages = read_languages()
        donors = [code for code, language in languages.items() if language.words != "pt"]
        if unknown := [code for code in candidates if code not in donors]:
            raise ValueError(f"no donor language {', '.join(unknown)}; expected any of {', '.join(donors)}")
        if len(set(candidates)) < len(candidates):
            raise ValueError("a language occurs twice; expected each once")
        return candidates


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of similarity: its name, family and direction."""

    name: str
    family: str
    nearer: Literal["lower", "higher"]
    meaning: str


MEASURES: Final = (
    Measure("spelling_ldn", "lexical", "lower", "mean normalised Levenshtein distance of words as spelt"),
    Measure("spelling_ldnd", "lexical", "lower", "the same over that of words of different meaning"),
    Measure("sound_ldn", "lexical", "lower", "mean normalised Levenshtein distance of words in ASJP symbols"),
    Measure("sound_ldnd", "lexical", "lower", "the same over that of words of different meaning"),
    Measure("inventory", "phonological", "higher", "Jaccard similarity of the inventories of ASJP symbols"),
    Measure("coverage", "phonological", "higher", "share of the target's running symbols that the donor has"),
    Measure("unigrams", "phonological", "lower", "Jensen-Shannon distance of ASJP symbols"),
    Measure("bigrams", "phonological", "lower", "Jensen-Shannon distance of pairs of ASJP symbols, word ends included"),
    Measure("letters_kept", "orthographic", "higher", "share of the target's running letters in the donor's alphabet"),
    Measure("letters_mapped", "orthographic", "higher", "the same, or whose base letter is in it"),
    Measure("letter_sounds", "orthographic", "higher", "share of running letters with the sound of their donor row"),
)
FAMILIES: Final = tuple(dict.fromkeys(measure.family for measure in MEASURES))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A language's word list as spelt, in sounds and by letter; each sequence has one entry per concept."""

    language: Language
    spelt: tuple[str, ...]
    symbols: tuple[tuple[str, ...], ...]
    letters: tuple[Mapping[tuple[str, Chunk], float], ...]


def evidence(language: Language, words: Mapping[str, str]) -> Evidence:
    """Return a language's words (by concept) as spelt, in ASJP symbols, and by letter and sound.

    Raises:
        MissingInputError: espeakng-loader is not installed.
        DataError: eSpeak NG cannot be loaded, or gives no sound for a word.
    """
    spelt = tuple(word.lower() for word in words.values())
    symbols = tuple(asjp(segments(ipa, language.voice)) for ipa in phonemise(language.voice, spelt))
    if without := [word for word, sounds in zip(spelt, symbols, strict=True) if not sounds]:
        raise DataError(f"eSpeak NG voice {language.voice}", f"gives no sound for {', '.join(without)}",
                        "a sound for every word", "correct pipeline/similarity/wordlists.tsv")
    return Evidence(language, spelt, symbols, tuple(letter_sounds(spelt, symbols)))


def resample_weights(concepts: int, resamples: int, seed: int) -> Array:
    """Return the weight of each concept, shape (1 + resamples, concepts): the list itself, then the bootstrap resamples."""
    drawn = np.random.default_rng(seed).multinomial(concepts, np.full(concepts, 1 / concepts), size=resamples)
    return np.vstack([np.ones(concepts), drawn])


def measure(target: Evidence, donor: Evidence, letter_counts: Mapping[str, int], weights_RC: Array) -> dict[str, Array]:
    """Return every measure of `MEASURES` between two languages, one value per row of weights, shape (R,)."""
    spelling_CC = measures.word_distances(target.spelt, donor.spelt)
    sound_CC = measures.word_distances(target.symbols, donor.symbols)
    words = (target.symbols, donor.symbols)
    symbols_RS = _weighted(weights_RC, [[Counter(word) for word in side] for side in words])
    bigrams_RS = _weighted(weights_RC, [[Counter(pairwise(("#", *word, "#"))) for word in side] for side in words])
    rows = {letter: row_for(letter, donor.language.alphabet) for letter in letter_counts}
    frequency_L = np.array(list(letter_counts.values()), dtype=float)
    kept_L = np.array([row == letter for letter, row in rows.items()])
    mapped_L = np.array([row is not None for row in rows.values()])
    resamples = len(weights_RC)
    return {
        "spelling_ldn": measures.mean_distance(spelling_CC, weights_RC),
        "spelling_ldnd": measures.divided_distance(spelling_CC, weights_RC),
        "sound_ldn": measures.mean_distance(sound_CC, weights_RC),
        "sound_ldnd": measures.divided_distance(sound_CC, weights_RC),
        "inventory": measures.jaccard(*symbols_RS),
        "coverage": measures.coverage(*symbols_RS),
        "unigrams": measures.jensen_shannon(*symbols_RS),
        "bigrams": measures.jensen_shannon(*bigrams_RS),
        "letters_kept": np.full(resamples, (frequency_L * kept_L).sum() / frequency_L.sum()),
        "letters_mapped": np.full(resamples, (frequency_L * mapped_L).sum() / frequency_L.sum()),
        "letter_sounds": measures.letter_sound_agreement(
            *_letter_tables(target, donor, rows, weights_RC), frequency_L),
    }


def standardise(values_MDR: Array) -> tuple[Array, Array]:
    """Return each measure over the candidates with mean 0 and deviation 1, and which measures discriminate between them.

    Args:
        values_MDR: measures by donors by resamples, higher is nearer; resample 0 is the list itself.

    Returns:
        The same shape (zero where all donors are equal), and a mask of measures, shape (M,).
    """
    centred = values_MDR - values_MDR.mean(axis=1, keepdims=True)
    deviation = values_MDR.std(axis=1, keepdims=True)
    return centred / np.where(deviation > 1e-9, deviation, np.inf), deviation[:, 0, 0] > 1e-9


def combine(standard_MDR: Array, discriminating_M: Array) -> tuple[dict[str, Array], Array]:
    """Return each family's mean over its discriminating measures, and the mean over families; shapes (D, R).

    Args:
        standard_MDR: standardised measures by donors by resamples.
        discriminating_M: which measures to use.

    Raises:
        DataError: no measure discriminates between the candidates.
    """
    if not discriminating_M.any():
        raise DataError("rank", "no measure discriminates between the candidates", "candidates that differ",
                        "change rank.candidates")
    families = {}
    for family in FAMILIES:
        members = discriminating_M & np.array([measure.family == family for measure in MEASURES])
        if members.any():
            families[family] = standard_MDR[members].mean(axis=0)
    return families, np.mean(list(families.values()), axis=0)


def ranks(values_D: Array) -> Array:
    """Return each donor's rank, 1 for the highest value; equals share the mean of their ranks. Shape (D, ...)."""
    higher = (values_D[None] > values_D[:, None]).sum(axis=1)
    equal = (values_D[None] == values_D[:, None]).sum(axis=1)
    return higher + (equal + 1) / 2


def concordance(values_JD: Array) -> float:
    """Return the agreement of J rankings of D donors: Kendall's W, 0 (none) to 1 (full).

    Source: Kendall & Babington Smith 1939, "The problem of m rankings", with Kendall's correction for ties.
    """
    rankings, donors = values_JD.shape
    ranks_JD = ranks(values_JD.T).T
    spread = ((ranks_JD.sum(axis=0) - rankings * (donors + 1) / 2) ** 2).sum()
    ties = sum(count**3 - count for row in ranks_JD for count in Counter(row.tolist()).values())
    return float(12 * spread / (rankings**2 * (donors**3 - donors) - rankings * ties))


def ranking(params: Params, letter_counts: Mapping[str, int], letters_from: str) -> dict[str, Any]:
    """Return the content of data/rank/ranking.json.

    Args:
        params: what to compare.
        letter_counts: the target's letters and their counts.
        letters_from: the text in which they were counted.
    """
    languages, words = read_languages(), read_words()
    target = evidence(languages[params.target], words[languages[params.target].words])
    donors = [languages[code] for code in params.candidates]
    weights_RC = resample_weights(len(target.spelt), params.resamples, params.seed)
    measured = [measure(target, evidence(donor, words[donor.words]), letter_counts, weights_RC) for donor in donors]
    values_MDR = np.array([[found[item.name] for found in measured] for item in MEASURES])
    nearness_MDR = values_MDR * np.array([1 if item.nearer == "higher" else -1 for item in MEASURES])[:, None, None]
    # to 9 digits, so that ties do not depend on the last bit of a sum
    standard_MDR, discriminating_M = standardise(nearness_MDR.round(9))
    families, score_DR = combine(standard_MDR, discriminating_M)
    ranks_DR = ranks(score_DR)
    ranks_MD = np.array([ranks(standard[:, 0]) for standard in standard_MDR])
    order = sorted(range(len(donors)), key=lambda donor: (-score_DR[donor, 0], donor))
    first, second = order[:2]
    families_JD = np.array([score[:, 0] for score in families.values()])
    return {
        "schema": SCHEMA,
        "target": params.target,
        "concepts": len(target.spelt),
        "letters": {"from": letters_from, "counted": sum(letter_counts.values())},
        "resamples": params.resamples,
        "seed": params.seed,
        "level": LEVEL,
        "measures": [
            {"name": item.name, "family": item.family, "nearer": item.nearer, "meaning": item.meaning,
             "discriminates": bool(used)}
            for item, used in zip(MEASURES, discriminating_M, strict=True)
        ],
        "nearest": {
            "language": donors[first].code,
            "runner_up": donors[second].code,
            "lead": _interval(score_DR[first] - score_DR[second]),
            "not_distinguished": [
                donors[donor].code for donor in order[1:] if _interval(score_DR[first] - score_DR[donor])["low"] <= 0
            ],
            "share_first": _round((score_DR[first, 1:] >= score_DR[:, 1:].max(axis=0)).mean()),
        },
        "agreement": {
            "measures_w": _round(concordance(standard_MDR[discriminating_M][:, :, 0])),
            "families_w": _round(concordance(families_JD)),
            "nearest_by_family": {
                family: donors[int(score[:, 0].argmax())].code for family, score in families.items()
            },
            "nearest_by_measure": {
                item.name: [donor.code for donor, rank in zip(donors, row, strict=True) if rank == row.min()]
                for item, row, used in zip(MEASURES, ranks_MD, discriminating_M, strict=True) if used
            },
        },
        "candidates": [
            {
                "language": donors[donor].code,
                "name": donors[donor].name,
                "voice": donors[donor].voice,
                "rank": position,
                "rank_low": int(np.quantile(ranks_DR[donor, 1:], (1 - LEVEL) / 2, method="inverted_cdf")),
                "rank_high": int(np.ceil(np.quantile(ranks_DR[donor, 1:], (1 + LEVEL) / 2, method="inverted_cdf"))),
                "mean_rank": _round(ranks_MD[discriminating_M, donor].mean()),
                "score": _interval(score_DR[donor]),
                "families": {family: _interval(score[donor]) for family, score in families.items()},
                "measures": {
                    item.name: {**_interval(values[donor]), "rank": float(row[donor])}
                    for item, values, row in zip(MEASURES, values_MDR, ranks_MD, strict=True)
                },
            }
            for position, donor in enumerate(order, 1)
        ],
    }


def ranking_table(ranking: Mapping[str, Any]) -> str:
    """Return a ranking as two tables for a terminal: the order with its intervals, and the evidence by measure."""
    nearest, agreement, candidates = ranking["nearest"], ranking["agreement"], ranking["candidates"]
    families = list(candidates[0]["families"])
    order = [["", "donor", "", f"score [{ranking['level']:.0%}]", "rank", "mean rank", *families]]
    for found in candidates:
        score = found["score"]
        order.append([
            f"{found['rank']}", found["language"], found["name"],
            f"{score['value']:+.2f} [{score['low']:+.2f}, {score['high']:+.2f}]",
            f"{found['rank_low']}-{found['rank_high']}", f"{found['mean_rank']:.1f}",
            *(f"{found['families'][family]['value']:+.2f}" for family in families),
        ])
    proof = [["measure", "nearer is", *(found["language"] for found in candidates)]]
    for item in ranking["measures"]:
        name = item["name"]
        best = agreement["nearest_by_measure"].get(name, ())
        proof.append([name, item["nearer"], *(
            f"{found['measures'][name]['value']:.3f}" + ("*" if found["language"] in best else " ")
            for found in candidates
        )])
    lead, close = nearest["lead"], nearest["not_distinguished"]
    others = [name for name, best in agreement["nearest_by_measure"].items() if nearest["language"] not in best]
    return "\n".join([
        f"Nearest neighbours of {ranking['target']} by {ranking['concepts']} concepts"
        " (score: mean of standardised measures, higher is nearer; * nearest by this measure)",
        *_columns(order, left=3), "", *_columns(proof, left=2), "",
        f"{nearest['language']} leads {nearest['runner_up']} by {lead['value']:+.2f}"
        f" [{lead['low']:+.2f}, {lead['high']:+.2f}]; first in {nearest['share_first']:.0%} of"
        f" {ranking['resamples']} resamples of the concepts. Not distinguished from it: {', '.join(close) or 'none'}.",
        f"Kendall's W: {agreement['measures_w']:.2f} over measures, {agreement['families_w']:.2f} over families."
        f" Another language is nearest by {', '.join(others) or 'no measure'}.",
        f"Letters counted in {ranking['letters']['from']}.",
    ])


def letters_of_target(folder: Path, words: Sequence[str]) -> tuple[dict[str, int], str]:
    """Return the count of each letter of the target, and the text in which it was counted.

    The text is the training text if `folder` has the vocabulary of `tokenise` (its letters are those of the head), otherwise
    the target's word list.

    Args:
        folder: of `tokenise`.
        words: the target's word list.

    Raises:
        DataError: the report lacks the count of a letter of the vocabulary.
    """
    vocabulary = folder / "vocabulary.json"
    if not vocabulary.exists():
        return dict(sorted(Counter("".join(words).lower()).items())), "the word list"
    letters = sorted(token for token in read_json(vocabulary) if len(token) == 1 and token.isalpha())
    counted = read_json(folder / "report.json").get("letters", {})
    if missing := [letter for letter in letters if letter not in counted]:
        raise DataError(str(folder / "report.json"), f"no count of {' '.join(missing)}",
                        "a count of every letter in vocabulary.json", "run `tokenise@portuguese` again")
    return {letter: int(counted[letter]) for letter in letters}, str(folder)


def run(data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Rank the candidates, write the ranking and print it.

    Args:
        data: folder with the outs of the stages.
        params_file: params.yaml.

    Raises:
        ParamsError: wrong params; lists all problems.
        DataError: an input is wrong, or eSpeak NG fails.
    """
    params = load_section(Params, "rank", path=params_file)
    words = read_words()[read_languages()[params.target].words]
    found = ranking(params, *letters_of_target(data / "tokenise/portuguese", list(words.values())))
    write_json(data / "rank/ranking.json", found)
    log(ranking_table(found))
    log(stage_line("rank", {"candidates": len(params.candidates), "measures": len(MEASURES), "concepts": len(words)}))


def _weighted(weights_RC: Array, sides: Sequence[Sequence[Mapping[Any, float]]]) -> list[Array]:
    """Return both sides' counts under each resample, over the items that either has; each of shape (R, S)."""
    items = dict.fromkeys(item for side in sides for word in side for item in word)
    index = {item: column for column, item in enumerate(items)}
    return [weights_RC @ measures.counts(side, index) for side in sides]


def _letter_tables(
    target: Evidence, donor: Evidence, rows: Mapping[str, str | None], weights_RC: Array
) -> tuple[Array, Array]:
    """Return the sounds of the target's letters, and of the donor's letters whose rows they start from; each (R, L, K)."""
    chunks = {chunk for side in (target, donor) for word in side.letters for _, chunk in word}
    column = {chunk: number for number, chunk in enumerate(sorted(chunks))}
    tables = []
    for side, letter_of in ((target, {letter: letter for letter in rows}), (donor, rows)):
        counts_CLK = np.zeros((len(side.letters), len(rows), len(column)))
        for concept, word in enumerate(side.letters):
            for number, letter in enumerate(letter_of.values()):
                for (written, chunk), count in word.items():
                    if written == letter:
                        counts_CLK[concept, number, column[chunk]] = count
        tables.append(np.tensordot(weights_RC, counts_CLK, axes=1))
    return tables[0], tables[1]


def _interval(values_R: Array) -> dict[str, float]:
    """Return value, low and high: resample 0, and ± the deviation of the others times the normal quantile."""
    margin = NormalDist().inv_cdf((1 + LEVEL) / 2) * values_R[1:].std()
    return {"value": _round(values_R[0]), "low": _round(values_R[0] - margin), "high": _round(values_R[0] + margin)}


def _round(value: float) -> float:
    """Return `value` to six digits, so that the same input gives the same bytes."""
    return round(float(value), 6) + 0.0


def _columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return rows as aligned lines: the first `left` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) if number < left else cell.rjust(width)
                      for number, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]


if __name__ == "__main__":
    stage_main(run)
