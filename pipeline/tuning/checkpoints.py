"""What a checkpoint of another language already knows of the target: its CTC with its symbols re-labelled, and a probe.

Both are measured on a small transcribed set, by halves: what is learned on one half is scored on the other.

Shapes: T frames, D dimensions, V symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from rapidfuzz.distance import Levenshtein
from scipy.optimize import linear_sum_assignment

from pipeline.core.errors import DataError

Frames = npt.NDArray[np.float32]
BATCH: Final = 8        # utterances per step of the probe
RATE: Final = 1e-2      # of Adam, falling to 0
FEWEST: Final = 4       # utterances, so that each half has some


def relabelling(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, str]:
    """Return the symbol of the target for each symbol of the checkpoint that makes most aligned pairs equal, each used once.

    "yo soy" for "eu sou" aligns y with e, o with u, and so on; over many utterances the most frequent pairs win. Symbols that are left
    over, on either side, have no entry.

    Source: Kuhn 1955, "The Hungarian method for the assignment problem".
    """
    counted: dict[tuple[str, str], int] = {}
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        for block in Levenshtein.opcodes(hypothesis, reference):
            if block.tag in ("equal", "replace"):
                for pair in zip(hypothesis[block.src_start : block.src_end], reference[block.dest_start : block.dest_end], strict=True):
                    counted[pair] = counted.get(pair, 0) + 1
    ours, theirs = (sorted({pair[side] for pair in counted}) for side in (0, 1))
    table = np.zeros((len(ours), len(theirs)))
    for (one, other), count in counted.items():
        table[ours.index(one), theirs.index(other)] = count
    rows, columns = linear_sum_assignment(table, maximize=True)
    return {ours[row]: theirs[column] for row, column in zip(rows, columns, strict=True) if table[row, column]}


def character_errors(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return the corpus-level CER: edits of all utterances over their reference characters."""
    edits = sum(Levenshtein.distance(hypothesis, reference) for hypothesis, reference in zip(hypotheses, references, strict=True))
    return edits / sum(map(len, references))


def relabelled_cer(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return the CER after the best re-labelling of symbols, learned on one half of the utterances and scored on the other, both ways.

    Raises:
        DataError: there are too few utterances.
    """
    relabelled = [""] * len(hypotheses)
    for learn, test in halves(len(hypotheses)):
        labels = relabelling([hypotheses[index] for index in learn], [references[index] for index in learn])
        for index in test:
            relabelled[index] = "".join(labels.get(symbol, symbol) for symbol in hypotheses[index])
    return character_errors(relabelled, references)


def probed_cer(frames: Sequence[Frames], references: Sequence[str], steps: int, seed: int) -> float:
    """Return the CER of a linear CTC head on frozen frames, trained on one half of the utterances and scored on the other, both ways.

    Args:
        frames: of the encoder's top, (T, D) each.
        references: of the utterances.
        steps: of each of the two trainings.
        seed: of the batches and of the heads.

    Raises:
        DataError: there are too few utterances.
    """
    letters = {letter: row for row, letter in enumerate(sorted(set("".join(references))), 1)}  # row 0 is the blank
    hypotheses = [""] * len(frames)
    for learn, test in halves(len(frames)):
        pool_TD = np.concatenate([frames[index] for index in learn])
        mean_D, scale_D = pool_TD.mean(axis=0), pool_TD.std(axis=0) + 1e-5
        inputs = [torch.from_numpy((found - mean_D) / scale_D) for found in frames]
        head = train_head([inputs[index] for index in learn], [references[index] for index in learn], letters, steps, seed)
        for index in test:
            with torch.inference_mode():
                rows = head(inputs[index]).argmax(dim=-1).tolist()
            hypotheses[index] = collapse(rows, letters)
    return character_errors(hypotheses, references)


def train_head(inputs: Sequence[torch.Tensor], references: Sequence[str], letters: Mapping[str, int], steps: int, seed: int) -> torch.nn.Linear:
    """Return a linear head trained by CTC.

    Args:
        inputs: frames, (T, D) each.
        references: of the utterances; one with more labels than frames adds nothing.
        letters: row of each letter; row 0 is the blank.
        steps: of Adam.
        seed: of the batches and of the head.
    """
    generator = torch.Generator().manual_seed(seed)
    head = torch.nn.Linear(inputs[0].shape[1], len(letters) + 1)
    torch.nn.init.normal_(head.weight, std=0.01, generator=generator)
    torch.nn.init.zeros_(head.bias)
    optimiser = torch.optim.Adam(head.parameters(), RATE)
    labels = [torch.tensor([letters[letter] for letter in reference]) for reference in references]
    for step in range(steps):
        chosen = torch.randperm(len(inputs), generator=generator)[:BATCH].tolist()
        padded_BTD = torch.nn.utils.rnn.pad_sequence([inputs[index] for index in chosen], batch_first=True)
        loss = torch.nn.functional.ctc_loss(
            head(padded_BTD).log_softmax(-1).transpose(0, 1), torch.cat([labels[index] for index in chosen]),
            torch.tensor([len(inputs[index]) for index in chosen]), torch.tensor([len(labels[index]) for index in chosen]), zero_infinity=True)
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return head


def collapse(rows: Sequence[int], letters: Mapping[str, int]) -> str:
    """Return the text of a greedy CTC path: repeated rows are one letter, row 0 is the blank."""
    symbol = {row: letter for letter, row in letters.items()}
    kept = [row for index, row in enumerate(rows) if row and (not index or row != rows[index - 1])]
    return "".join(symbol[row] for row in kept)


def halves(utterances: int) -> list[tuple[list[int], list[int]]]:
    """Return the even and the odd utterances, as (learn, test) both ways.

    Raises:
        DataError: there are too few utterances.
    """
    if utterances < FEWEST:
        raise DataError("the transcribed set", f"{utterances} utterances", f"at least {FEWEST}", "give more")
    even, odd = list(range(0, utterances, 2)), list(range(1, utterances, 2))
    return [(even, odd), (odd, even)]
