"""The child process in which eSpeak NG writes words in IPA; `phonemes.phonemise` starts it, one for each voice.

eSpeak NG is not thread-safe and keeps global state, so that nothing but this file ever calls its phonemiser. Standard
input: `{"voice": "pt-BR", "words": ["noite"]}`; standard output: `["nˈo͡ɪt͡ʃy"]`; a message and exit code 1 if that
cannot be. Stands alone (standard library and espeakng_loader), to start fast.
"""

from __future__ import annotations

import ctypes
import json
import sys

SYNCHRONOUS, DONT_EXIT, UTF8 = 2, 0x8000, 1
IPA_TIED = 0x02 | 0x80 | ord("\u0361") << 8  # IPA, letters of one phoneme joined by a tie: t͡ʃ, a͡ɪ


def transcribe(voice: str, words: list[str]) -> list[str]:
    """Return the words in IPA as eSpeak NG's `voice` says each on its own.

    Raises:
        OSError: the library or its data cannot be loaded.
        LookupError: there is no such voice.
    """
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path()
    if library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DONT_EXIT) <= 0:
        raise OSError(f"eSpeak NG cannot use its data in {data} (its path must be shorter than 160 characters)")
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise LookupError(f"eSpeak NG has no voice {voice!r}")
    to_phonemes = library.espeak_TextToPhonemes
    to_phonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    to_phonemes.restype = ctypes.c_char_p
    written = []
    for word in words:
        rest, clauses = ctypes.c_char_p(word.encode()), []
        while rest.value:  # moves on by one clause a call, and becomes NULL at the end
            clauses.append(to_phonemes(ctypes.byref(rest), UTF8, IPA_TIED).decode())
        written.append("".join(clauses))
    return written


if __name__ == "__main__":
    asked = json.loads(sys.stdin.buffer.read())
    try:
        sys.stdout.buffer.write(json.dumps(transcribe(asked["voice"], asked["words"])).encode())
    except (ImportError, OSError, LookupError) as error:
        sys.exit(str(error))
