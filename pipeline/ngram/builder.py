"""Sentences to an n-gram in ARPA form, by Kneser-Ney smoothing and entropy pruning: the same sentences give the same bytes."""

from __future__ import annotations

import gc
import importlib.metadata
import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaldingram.prune import ArpaParser, prune
from kaldingram.train import NgramCounts

from pipeline.core.errors import DataError, PipelineError
from pipeline.core.files import atomic, hash_file
from pipeline.core.progress import bar

UNKNOWN: Final = "<unk>"
MOST_WORDS: Final = 4_000_000
"""Words from which kaldingram builds in 2 GB, however diverse they are; `lmplz` builds from more, if it is on the PATH."""
FALLBACK_DISCOUNT: Final = 0.5
"""Where no n-gram of an order occurs twice, the estimate is 1, which leaves nothing to those seen once. As in KenLM's lmplz."""


@dataclass(frozen=True, slots=True)
class Builder:
    """The program that builds the n-gram."""

    name: str
    version: str


def choose_builder(num_words: int) -> Builder:
    """Return KenLM's `lmplz` if the text has more than `MOST_WORDS` words and the program is on the PATH, otherwise kaldingram.

    `lmplz` has no version; the hash of the program stands for it.
    """
    if num_words > MOST_WORDS and (program := shutil.which("lmplz")):
        return Builder("lmplz", hash_file(program)[:12])
    return Builder("kaldingram", importlib.metadata.version("kaldingram"))


def build(sentences: Sequence[str], lexicon: dict[str, int], order: int, threshold: float | None, builder: Builder, target: Path) -> None:
    """Write the n-gram of the sentences to `target`, atomically. Words outside the lexicon count as `<unk>`.

    Args:
        sentences: spoken forms; their order does not matter.
        lexicon: words of the n-gram.
        order: of the n-gram.
        threshold: n-grams whose removal raises the perplexity by less than this, relatively, are removed; None keeps all.
        builder: as `choose_builder` returned it.
        target: the ARPA file.

    Raises:
        DataError: too little text to prune.
        PipelineError: `lmplz` failed.

    Source: Kneser, Ney: Improved backing-off for m-gram language modeling, ICASSP 1995; Stolcke: Entropy-based pruning of
    backoff language models, 1998.
    """
    lines = sorted(_with_unknown(sentence, lexicon) for sentence in sentences)
    with atomic(target) as temporary:
        if builder.name == "lmplz":
            _count_with_lmplz(lines, order, temporary)
        else:
            _count_with_kaldingram(lines, order, temporary)
        if threshold is not None:
            _prune(temporary, threshold)


def _with_unknown(sentence: str, lexicon: dict[str, int]) -> str:
    """Return the sentence with `<unk>` for words outside the lexicon; itself, which saves memory, if it has none."""
    words = sentence.split(" ")
    return sentence if all(word in lexicon for word in words) else " ".join(word if word in lexicon else UNKNOWN for word in words)


def _count_with_kaldingram(lines: Sequence[str], order: int, target: Path) -> None:
    counts = NgramCounts(order)
    collects = gc.isenabled()
    gc.disable()  # the counts have no cycles, and a collection visits them all
    try:
        with bar(len(lines), "sentence", "n-gram") as progress:
            for line in lines:
                counts.add_raw_counts_from_line(line)
                progress.update()
        with redirect_stderr(io.StringIO()):  # a bar per order and step
            counts.cal_discounting_constants()
            counts.d = [value if value < 1 else FALLBACK_DISCOUNT for value in counts.d]
            counts.cal_f()
            counts.cal_bow()
            with open(target, "w", encoding="utf-8") as handle:
                counts.print_as_arpa(handle)
    finally:
        if collects:
            gc.enable()


def _count_with_lmplz(lines: Sequence[str], order: int, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, open(target, "wb") as handle:
        text = Path(folder) / "text"
        with open(text, "w", encoding="utf-8") as written:
            written.writelines(f"{line}\n" for line in lines)
        with open(text, "rb") as read:
            done = subprocess.run(["lmplz", "--order", str(order), "--memory", "1G", "--temp_prefix", f"{folder}/", "--discount_fallback",
                                   "--skip_symbols"], stdin=read, stdout=handle, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise PipelineError("lmplz", f"it failed with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-500:]}", "an ARPA file",
                            "build KenLM again, or take lmplz off the PATH")


def _prune(arpa: Path, threshold: float) -> None:
    with redirect_stderr(io.StringIO()):
        parser = ArpaParser()
        (model,) = parser.loadf(arpa, encoding="utf-8")
        try:
            prune(model, threshold, 1)
        except ValueError:  # the logarithm of zero: a context is followed by every word
            raise DataError("language_model", "too little text to prune: a word is followed by every word", "more text",
                            "set prune: null, or add texts") from None
        with open(arpa, "w", encoding="utf-8") as handle:
            parser.dump(model, handle)
