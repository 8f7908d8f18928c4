"""The child process, the only program that loads eSpeak NG: it synthesises utterances and phonemises words.

    python -I -S pipeline/espeak/child.py FOLDER      the folder that espeakng_loader is installed in

`launcher` starts it. It imports the standard library and espeakng_loader, nothing of our other packages: eSpeak NG is
GPL-3-or-later, and a child without numpy starts within 50 ms. eSpeak NG is not thread-safe and keeps state between
utterances: its samples are the same only for the same utterances in the same order after a fresh start.

Requests come on standard input and replies go to standard output, one reply per request, each in one frame:

    bytes 0..3   length of the header, little endian
    bytes 4..7   length of the payload, little endian
    header       a JSON object in UTF-8
    payload      samples, 16 bit little endian; empty in all but the reply to `synthesise`

    {"command": "open", "seed": 7}                                  → {"rate_hz": 22050}     the seed may be null
    {"command": "synthesise", "text": "a casa", "voice": "pt-br", "variant": "m3",
     "rate_wpm": 160, "volume": 60, "pitch": 50, "pitch_range": 50, "word_gap": 2}    → {}, samples
    {"command": "phonemise", "voice": "pt-BR", "words": ["noite"]}  → {"words": ["nˈo͡ɪt͡ʃy"]}

A request that fails has the reply {"error": [what was found, what was expected, what the user can do]}. The child ends when standard input does.

Source: espeak-ng/speak_lib.h and espeak_ng.h of eSpeak NG 1.52.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from typing import BinaryIO

RATE_HZ = 22_050     # eSpeak's own
LONGEST_PATH = 155   # bytes; eSpeak cannot open its data at a longer path
FRAME = struct.Struct("<II")
SYNCHRONOUS, DONT_EXIT, UTF8 = 2, 0x8000, 1  # without DONT_EXIT, bad data end the process
BUFFER_MS = 2_000
RATE, VOLUME, PITCH, RANGE, WORD_GAP = 1, 2, 3, 4, 7
IPA_TIED = 0x02 | 0x80 | ord("\u0361") << 8  # IPA, letters of one phoneme joined by a tie: t͡ʃ, a͡ɪ
AGAIN = "install espeakng-loader again"
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class RequestError(Exception):
    """A request that cannot be met; its arguments are what was found, what was expected and what the user can do."""


class Engine:
    """eSpeak NG, loaded into this process."""

    def __init__(self, seed: int | None) -> None:
        """Load and initialise eSpeak NG.

        Args:
            seed: of its random numbers (breath, flutter); None where nothing is synthesised.

        Raises:
            RequestError: its library or data cannot be loaded.
        """
        import espeakng_loader

        try:
            self.data = espeakng_loader.get_data_path()
            self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        except (OSError, RuntimeError) as error:
            raise RequestError(f"its library cannot be loaded ({error})", "the files of espeakng-loader", AGAIN) from None
        self._declare()
        rate_hz = self.library.espeak_Initialize(SYNCHRONOUS, BUFFER_MS, os.fsencode(short_path(self.data)), DONT_EXIT)
        if rate_hz != RATE_HZ:
            raise RequestError(f"could not open its data in {self.data} (result {rate_hz})", f"{RATE_HZ} Hz", AGAIN)
        self.pieces: list[bytes] = []
        self.callback = CALLBACK(self._take)  # kept here: eSpeak holds no reference to it
        self.library.espeak_SetSynthCallback(self.callback)
        if seed is not None:
            self.library.espeak_ng_SetRandSeed(seed)

    def synthesise(self, text: str, voice: str, variant: str, rate_wpm: int, volume: int, pitch: int, pitch_range: int, word_gap: int) -> bytes:
        """Return the text as spoken by a voice, 16-bit samples at 22,050 Hz.

        Args:
            text: in spoken form.
            voice: eSpeak's name, such as pt-br.
            variant: of the voice, such as m3.
            rate_wpm: words per minute.
            volume: 0..200, 100 is eSpeak's default.
            pitch: 0..100, 50 is the variant's own.
            pitch_range: 0..100, monotonous to lively.
            word_gap: pause between words, in steps of 10 ms.

        Raises:
            RequestError: there is no such variant or voice, or eSpeak returns an error.
        """
        variants = os.path.join(self.data, "voices", "!v")
        if not os.path.isfile(os.path.join(variants, variant)):  # eSpeak silently takes its default for a variant that it does not know
            raise RequestError(f"no variant {variant!r}", f"a file in {variants}", "")
        name = f"{voice}+{variant}"
        self._check(self.library.espeak_SetVoiceByName(name.encode()), f"voice {name}")
        for parameter, value in ((RATE, rate_wpm), (VOLUME, volume), (PITCH, pitch), (RANGE, pitch_range), (WORD_GAP, word_gap)):
            self._check(self.library.espeak_SetParameter(parameter, value, 0), f"parameter {parameter} = {value}")
        self.pieces.clear()
        encoded = text.encode()
        self._check(self.library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, UTF8, None, None), repr(text))
        return b"".join(self.pieces)

    def phonemise(self, voice: str, words: list[str]) -> list[str]:
        """Return the words in IPA, each as the voice pronounces it on its own.

        Raises:
            RequestError: there is no such voice.
        """
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RequestError(f"no voice {voice!r}", "a voice of espeakng-loader's data", "")
        return [self._ipa(word) for word in words]

    def _ipa(self, word: str) -> str:
        rest, clauses = ctypes.c_char_p(word.encode()), []
        while rest.value:  # moves on by one clause per call, and becomes NULL at the end
            clauses.append(self.library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA_TIED).decode())
        return "".join(clauses)

    def _declare(self) -> None:
        library = self.library
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_Synth.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint,
                                         ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p

    def _check(self, result: int, what: str) -> None:
        if result != 0:
            raise RequestError(f"{what} gave error {result}", "0", AGAIN)

    def _take(self, samples: int | None, count: int, _events: int) -> int:
        if samples and count > 0:
            self.pieces.append(ctypes.string_at(samples, 2 * count))
        return 0


def short_path(data: str) -> str:
    """Return a path to eSpeak's data of at most 155 bytes: a link in the temporary folder where the path itself is longer."""
    if len(os.fsencode(data)) <= LONGEST_PATH:
        return data
    import hashlib  # late: most starts do without
    import tempfile

    name = f"espeak-{os.getuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    link = os.path.join(tempfile.gettempdir(), name)
    if len(os.fsencode(link)) > LONGEST_PATH:
        link = os.path.join("/tmp", name)
    if not os.path.islink(link) or os.readlink(link) != data:
        fresh = f"{link}.{os.getpid()}"
        os.symlink(data, fresh)
        os.replace(fresh, link)
    return link


def read_frame(stream: BinaryIO) -> tuple[dict[str, object], bytes] | None:
    """Return header and payload of the next frame, None at the end of the stream."""
    lengths = stream.read(FRAME.size)
    if len(lengths) < FRAME.size:
        return None
    header_length, payload_length = FRAME.unpack(lengths)
    header: dict[str, object] = json.loads(stream.read(header_length))
    return header, stream.read(payload_length)


def write_frame(stream: BinaryIO, header: dict[str, object], payload: bytes = b"") -> None:
    """Write header and payload as one frame."""
    encoded = json.dumps(header).encode()
    stream.write(FRAME.pack(len(encoded), len(payload)) + encoded)
    stream.write(payload)
    stream.flush()


def main() -> None:
    """Answer requests until standard input ends."""
    sys.path.append(sys.argv[1])
    engine: Engine | None = None
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what eSpeak prints does not get between the frames
    while (received := read_frame(requests)) is not None:
        arguments = dict(received[0])
        command = arguments.pop("command")
        try:
            if command == "open":
                engine = Engine(**arguments)  # type: ignore[arg-type]
                write_frame(replies, {"rate_hz": RATE_HZ})
            elif engine is None:
                raise RequestError(f"{command} before open", "open", "")
            elif command == "synthesise":
                write_frame(replies, {}, engine.synthesise(**arguments))  # type: ignore[arg-type]
            else:
                write_frame(replies, {"words": engine.phonemise(**arguments)})  # type: ignore[arg-type]
        except RequestError as error:
            write_frame(replies, {"error": error.args})


if __name__ == "__main__":
    main()
