"""Sentences of texts: each once, normalised by the rules of its locale, the others counted."""

from __future__ import annotations

from collections import Counter

from pipeline.ngram.texts import Written, gather, generated


def test_each_sentence_has_the_rules_of_its_locale_and_counts_once() -> None:
    seen = {"bom dia"}
    found = gather([Written("São 16 horas.", "pt-PT"), Written("São 16 horas.", "pt-BR"), Written("São 16 horas!"), Written("Bom dia."),
                    Written("¿Qué hora es?", "es-MX"), Written("", reason="unreadable")], "pt-BR", seen)
    assert found.sentences == ["são dezasseis horas", "são dezesseis horas"]
    assert found.variants == ["são dezesseis horas", "são dezesseis horas"]
    assert found.dropped == Counter({"repeated": 2, "other language": 1, "unreadable": 1})
    assert (found.offered, found.num_words) == (6, 6)
    assert seen == {"bom dia", *found.sentences}


def test_generated_sentences_follow_the_shares_of_the_locales_and_the_seed() -> None:
    found = list(generated(20, 2, {"pt-BR": 0.7, "pt-PT": 0.3}))
    assert Counter(item.locale for item in found) == {"pt-BR": 14, "pt-PT": 6}
    assert found == list(generated(20, 2, {"pt-BR": 0.7, "pt-PT": 0.3}))
    assert found[:5] != list(generated(5, 3, {"pt-BR": 0.7, "pt-PT": 0.3}))
