"""Text that Spain and the Americas write alike and read differently."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "written, spain, americas",
    [
        ("Cuesta $ 20.", "cuesta veinte dólares", "cuesta veinte pesos"),
        ("El 1 de enero llueve.", "el uno de enero llueve", "el primero de enero llueve"),
        ("Lo vi en la RTVE.", "lo vi en la erre te uve e", "lo vi en la erre te ve e"),
        ("La WWF protesta.", "la uve doble uve doble efe protesta", "la doble ve doble ve efe protesta"),
        ("Mide 1,234 metros.", "mide uno coma doscientos treinta y cuatro metros", "mide mil doscientos treinta y cuatro metros"),
    ],
)
def test_each_continent_has_its_own_words(written: str, spain: str, americas: str) -> None:
    assert (normalise(written, "es"), normalise(written, "es-419")) == (spain, americas)


@pytest.mark.parametrize(
    "written, spoken",
    [
        ("La Sra. Ruiz y el Dr. Gil", "la señora ruiz y el doctor gil"),
        ("Vive en la C/ Mayor, s/n", "vive en la calle mayor sin número"),
        ("Uds. viajan a EE. UU.", "ustedes viajan a estados unidos"),
        ("Nació en el s. III a. C.", "nació en el siglo tercero antes de cristo"),
    ],
)
def test_both_continents_share_their_abbreviations(written: str, spoken: str) -> None:
    assert normalise(written, "es") == normalise(written, "es-419") == spoken
