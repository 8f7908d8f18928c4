"""Times of the day and durations in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "O trem sai às 6h05.", "o trem sai às seis horas e cinco"),
        ("pt-PT", "O comboio sai às 12:00.", "o comboio sai às doze horas"),
        ("pt-BR", "A reunião é às 13:15.", "a reunião é às treze e quinze"),
        ("es", "El tren sale a las 13:15.", "el tren sale a las trece y quince"),
        ("es", "Sale a la 1:00.", "sale a la una"),
    ],
)
def test_a_time_of_the_day_is_read_by_hours_and_minutes(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Ferva por 3min20s.", "ferva por três minutos e vinte segundos"),
        ("es", "Hierve 3 min 20 s.", "hierve tres minutos y veinte segundos"),
    ],
)
def test_a_duration_is_read_by_minutes_and_seconds(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


def test_an_hour_after_twenty_four_is_not_a_time() -> None:
    assert "horas" not in normalise("O jogo acabou 25:00.", "pt-BR")
