"""Bodies and events of the transcription API, from segments."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from pipeline.decoding.greedy import Word
from pipeline.decoding.recordings import Segment
from pipeline.decoding.subtitles import cues, render_cues, words_of
from pipeline.model.vocabulary import Vocabulary
from pipeline.serving.forms import Form


def answer(form: Form, segments: Sequence[Segment], duration_s: float, vocabulary: Vocabulary) -> Response:
    """Return the response to a request that is not streamed."""
    ordered = in_order(segments)
    text = text_of(ordered)
    if form.response_format == "text":
        return PlainTextResponse(text + "\n")
    if form.response_format in ("srt", "vtt"):
        words = sorted((word for segment in ordered for word in words_of(segment)), key=lambda word: float(word["start_s"]))
        body = render_cues(cues(words), form.response_format)
        return Response(body, media_type="text/vtt" if form.response_format == "vtt" else "text/plain")
    content: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": round(duration_s, 3)}}
    if form.response_format == "verbose_json":
        content = {"task": "transcribe", "language": "portuguese", "duration": round(duration_s, 3)} | content
        wanted = form.timestamp_granularities or ("segment", "word")
        if "segment" in wanted:
            content["segments"] = [verbose(number, segment, vocabulary) for number, segment in enumerate(ordered)]
        if "word" in wanted:
            found = sorted((word for segment in ordered for word in segment.words), key=lambda word: word.start_s)
            content["words"] = [{"word": word.word, "start": word.start_s, "end": word.end_s} for word in found]
    elif form.include:
        content["logprobs"] = logprobs([word for segment in ordered for word in segment.words])
    return JSONResponse(content)


def in_order(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments with text by their start; parts without speech have none."""
    return sorted((segment for segment in segments if segment.text), key=lambda segment: (segment.start_s, segment.channel))


def text_of(segments: Sequence[Segment]) -> str:
    """Return the transcript of segments."""
    return " ".join(segment.text for segment in segments if segment.text)


def verbose(number: int, segment: Segment, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return a segment of `verbose_json`.

    `avg_logprob` is the mean over the words of the logarithm of their confidence. `no_speech_prob` is 0: parts without speech are no segments.
    """
    content = segment.text.encode()
    return {"id": number, "seek": round(100 * segment.start_s), "start": segment.start_s, "end": segment.end_s, "text": segment.text,
            "tokens": vocabulary.encode(segment.text), "temperature": 0.0,
            "avg_logprob": round(math.fsum(map(_logprob, segment.words)) / max(1, len(segment.words)), 4),
            "compression_ratio": round(len(content) / len(zlib.compress(content)), 4), "no_speech_prob": 0.0}


def logprobs(words: Sequence[Word], follows: bool = False) -> list[dict[str, Any]]:
    """Return words as tokens, with the logarithm of their confidence.

    Args:
        words: of a transcript.
        follows: whether other words come before them.
    """
    tokens = [(" " if follows or number else "") + word.word for number, word in enumerate(words)]
    return [{"token": token, "bytes": list(token.encode()), "logprob": _logprob(word)} for token, word in zip(tokens, words, strict=True)]


def events_of(segment: Segment, form: Form, number: int, follows: bool) -> str:
    """Return what a stream sends for a segment: its text, and its times.

    Args:
        segment: with text.
        form: of the request.
        number: of the segment in the stream.
        follows: whether a segment with text came before it.
    """
    delta: dict[str, Any] = {"type": "transcript.text.delta", "delta": (" " if follows else "") + segment.text}
    if form.include:
        delta["logprobs"] = logprobs(segment.words, follows)
    times = {"type": "transcript.text.segment", "id": f"seg_{number}", "start": segment.start_s, "end": segment.end_s, "text": segment.text,
             "speaker": str(max(1, segment.channel))}
    return event(delta) + event(times)


def done_event(segments: Sequence[Segment], form: Form) -> str:
    """Return the last event of a stream: the text of its deltas."""
    done: dict[str, Any] = {"type": "transcript.text.done", "text": text_of(segments)}
    if form.include:
        done["logprobs"] = logprobs([word for segment in segments for word in segment.words])
    return event(done)


def event(content: dict[str, Any]) -> str:
    """Return a server-sent event."""
    name = content.get("type", "error")
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"


def _logprob(word: Word) -> float:
    return round(math.log(max(word.confidence, 1e-10)), 4)
