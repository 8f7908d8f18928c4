"""Head transfer by symbol: each row is a bit-equal copy of the donor row in the plan."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipeline.model.head import HeadRow, Strategy, head_record, head_table, plan_head, transfer_head
from pipeline.model.vocabulary import Vocabulary
from pipeline.scoring.counts import error_rates
from pipeline.training.config import RunConfig
from pipeline.training.trainer import Utterances, train
from tests import tiny

TARGET = Vocabulary(("<pad>", "<unk>", "|", *"abcorsãçõ"))
DONORS = {
    "ours": Vocabulary(("<pad>", "<unk>", "|", *"abcdorsñ")),
    "specials in other places": Vocabulary(("|", *"'-aborsc", "ñ", "[UNK]", "[PAD]"), "[PAD]", "[UNK]"),
    "sentence marks and punctuation": Vocabulary(("<s>", "<pad>", "</s>", "<unk>", "|", "'", "-", ".", *"eaosrlncb")),
    "capitals": Vocabulary(("<pad>", "<s>", "</s>", "<unk>", "|", *"EAOSRLNCBÑ")),
    "no symbol for unknown, blank between words": Vocabulary(("<pad>", *"abcors", " "), boundary=" "),
}
HIDDEN = 8


def head_of(vocabulary: Vocabulary) -> nn.Linear:
    torch.manual_seed(5)
    return nn.Linear(HIDDEN, len(vocabulary.symbols))


def transferred(donor: Vocabulary, strategy: Strategy, seed: int = 1, target: Vocabulary = TARGET) -> tuple[dict[str, HeadRow], nn.Linear, nn.Linear]:
    """Return the plan by symbol, the donor's head and the new one."""
    plan = plan_head(donor, target, strategy)
    assert [row.symbol for row in plan] == list(target.symbols)
    old = head_of(donor)
    return {row.symbol: row for row in plan}, old, transfer_head(old, plan, HIDDEN, 0.02, seed)


def same(new: nn.Linear, row: int, old: nn.Linear, donor_row: int) -> bool:
    return torch.equal(new.weight[row], old.weight[donor_row]) and torch.equal(new.bias[row], old.bias[donor_row])


@pytest.mark.parametrize("name", DONORS)
def test_shared_symbols_are_bit_equal_copies_for_every_donor_layout(name: str) -> None:
    donor = DONORS[name]
    plan, old, new = transferred(donor, "base_letter")
    for letter in "abcors":
        there = letter.upper() if name == "capitals" else letter
        assert plan[letter] == HeadRow(letter, there, donor.symbols.index(there), "copied")
        assert same(new, TARGET.symbols.index(letter), old, donor.symbols.index(there)), letter
    assert plan["<pad>"].donor_row == donor.blank_row
    assert plan["|"].donor_symbol == donor.boundary


@pytest.mark.parametrize("name", DONORS)
def test_new_letters_start_from_their_base_letter(name: str) -> None:
    donor = DONORS[name]
    plan, old, new = transferred(donor, "base_letter")
    for letter, base in zip("ãçõ", "aco", strict=True):
        row = donor.symbols.index(base.upper() if name == "capitals" else base)
        assert (plan[letter].donor_row, plan[letter].how) == (row, "base letter")
        assert same(new, TARGET.symbols.index(letter), old, row)


def test_a_donor_without_a_symbol_for_unknown_gives_a_fresh_row() -> None:
    plan, _, _ = transferred(DONORS["no symbol for unknown, blank between words"], "base_letter")
    assert plan["<unk>"] == HeadRow("<unk>", "", None, "fresh")


@pytest.mark.parametrize("donor, letter", [
    (Vocabulary(("<pad>", "<unk>", "|", *"aors")), "ç"), (Vocabulary(("<pad>", "'", "|", *"abcors"), unknown="'"), "'"),
], ids=["no base letter", "a special symbol of the donor that is a letter of the target"])
def test_a_letter_that_the_donor_lacks_gives_a_fresh_row(donor: Vocabulary, letter: str) -> None:
    plan, old, new = transferred(donor, "base_letter", target=Vocabulary((*TARGET.symbols, "'")))
    assert plan[letter] == HeadRow(letter, "", None, "fresh")
    assert not any(torch.equal(new.weight[list(plan).index(letter)], row) for row in old.weight)
    assert plan["a"].how == "copied"


def test_the_strategies_differ_in_the_rows_that_they_copy() -> None:
    donor = DONORS["ours"]
    random, old, drawn = transferred(donor, "random")
    assert {symbol for symbol, row in random.items() if row.how == "fresh"} == {"ã", "ç", "õ"}
    assert same(drawn, TARGET.symbols.index("a"), old, donor.symbols.index("a"))
    assert not torch.equal(drawn.weight[TARGET.symbols.index("ã")], old.weight[donor.symbols.index("a")])
    fresh, _, new = transferred(donor, "fresh")
    assert {row.how for row in fresh.values()} == {"fresh"}
    assert not any(torch.equal(new_row, old_row) for new_row in new.weight for old_row in old.weight)


def test_fresh_rows_follow_the_seed_alone() -> None:
    torch.manual_seed(3)
    _, _, one = transferred(DONORS["ours"], "fresh", seed=1)
    torch.manual_seed(4)
    _, _, again = transferred(DONORS["ours"], "fresh", seed=1)
    _, _, other = transferred(DONORS["ours"], "fresh", seed=2)
    assert torch.equal(one.weight, again.weight)
    assert not torch.equal(one.weight, other.weight)
    assert 0.01 < float(one.weight.detach().std()) < 0.03 and abs(float(one.weight.detach().mean())) < 0.01
    assert not one.bias.any()


def test_a_donor_without_a_head_gives_fresh_rows_only() -> None:
    new = transfer_head(None, plan_head(TARGET, TARGET, "fresh"), HIDDEN, 0.02, 1)
    assert new.weight.shape == (len(TARGET.symbols), HIDDEN)


@given(st.permutations(("<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyzáéíñóúü'-")))
def test_no_order_of_donor_rows_mixes_up_symbols(order: list[str]) -> None:
    donor = Vocabulary(tuple(order))
    for row in plan_head(donor, TARGET, "base_letter"):
        assert row.donor_row is not None
        assert donor.symbols[row.donor_row] == row.donor_symbol == (row.symbol if row.symbol in order else {"ã": "a", "ç": "c", "õ": "o"}[row.symbol])


def test_a_vocabulary_of_equal_size_is_still_transferred_by_symbol() -> None:
    donor = Vocabulary(tuple(reversed(TARGET.symbols)))
    plan, old, new = transferred(donor, "base_letter")
    assert torch.equal(new.weight, old.weight.flip(0))
    assert all(row.how == "copied" for row in plan.values())


def test_the_plan_is_shown_grouped_and_stored_whole() -> None:
    donor = DONORS["capitals"]
    plan = plan_head(donor, TARGET, "base_letter")
    assert head_table(plan, donor).splitlines() == [
        "  how         rows  symbols", "  copied         9  <pad> <unk> | a←A b←B c←C o←O r←R s←S",
        "  base letter    3  ã←A ç←C õ←O", "  fresh          0", "  left behind    6  <s> </s> E L N Ñ"]
    stored = json.loads(json.dumps(head_record(plan, donor, "base_letter")))
    assert stored["head_plan"][TARGET.symbols.index("ã")] == {"symbol": "ã", "donor_symbol": "A", "donor_row": 6, "how": "base letter"}
    assert (stored["head"], stored["head_left_behind"]) == ("base_letter", ["<s>", "</s>", "E", "L", "N", "Ñ"])


@pytest.mark.slow
def test_transferred_heads_learn_sooner_than_fresh_ones(tmp_path: Path) -> None:
    """A trained donor's head is transferred to a language in which every second of its letters has an accent."""
    texts, accents = [*tiny.TEXTS] * 2, str.maketrans("ao", "ãõ")
    old, new = tiny.vocabulary("rosae"), tiny.vocabulary("ãeõsr")
    tables = {name: tiny.write_split(tmp_path, texts[:count], name, seed=seed) for name, count, seed in (("train", 20, 0), ("dev", 6, 100))}
    run = RunConfig(batch_s=5, steps=120, peak_rate=1e-2, warmup_steps=10, seed=1, evaluate_every=120, checkpoint_s=1e9, optimiser="muon")

    def learn(model: Any, words: Vocabulary, spelling: dict[int, str], **changes: Any) -> pd.DataFrame:
        sets = [Utterances.of(table.assign(text=table["text"].str.translate(spelling)), tmp_path / "data/ingest") for table in tables.values()]
        return train(model, words, *sets, run.model_copy(update=changes), tmp_path / "state", error_rates, "test").history

    donor = tiny.model(old)
    assert learn(donor, old, {})["dev_cer"].iloc[-1] < 0.05
    losses, errors = {}, {}
    for strategy in get_args(Strategy):
        model = copy.deepcopy(donor)
        model.lm_head = transfer_head(donor.lm_head, plan_head(old, new, strategy), 32, 0.02, 1)
        history = learn(model, new, accents, steps=6, evaluate_every=3, warmup_steps=6, peak_rate=1e-3)
        losses[strategy], errors[strategy] = history["loss"].iloc[0], history["dev_cer"].iloc[-1]
    assert 4 * losses["base_letter"] < losses["random"] < losses["fresh"]
    assert errors["base_letter"] < 0.1 < 0.3 < errors["random"] < errors["fresh"]
