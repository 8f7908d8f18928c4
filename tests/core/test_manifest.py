"""Numbers and names in a transcript as released: figures and capitals."""

from __future__ import annotations

import pytest

from pipeline.core.manifest import has_names, has_numbers


@pytest.mark.parametrize(("transcript", "numbers", "names"), [
    ("Chega às 14h30.", "yes", "no"),
    ("Chega às duas.", "no", "no"),
    ("A Ana chega às duas.", "no", "yes"),
    ("Ana chega.", "no", "no"),
    ("Comprei pão. Depois saí! E tu? Sim…", "no", "no"),
    ("— Olá, disse ela.", "no", "no"),
    ("“Olá”, disse a Rita.", "no", "yes"),
    ("Disse: “Vem!” Veio.", "no", "no"),
    ("O Sr. Silva saiu.", "no", "yes"),
    ("Vive na R. Augusta.", "no", "yes"),
    ("Nasceu no século XX.", "yes", "no"),
    ("Custa R$ 25,00.", "yes", "no"),
    ("Custa 5 € a meia dúzia, ½ quilo.", "yes", "no"),
    ("Trabalha na TAP.", "no", "yes"),
    ("Ô de casa!", "no", "no"),
    ("já em forma falada", "", ""),
    ("", "", ""),
])
def test_numbers_and_names_are_found_by_their_written_form(transcript: str, numbers: str, names: str) -> None:
    spoken = transcript if transcript in ("já em forma falada", "") else "another form"
    assert (has_numbers(transcript, spoken), has_names(transcript, spoken)) == (numbers, names)
