"""The form of a transcription request, as the `openai` package sends it: lists as `name[]`, objects as `name[key]`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

LISTS: Final = ("keywords", "languages", "include", "timestamp_granularities")
IGNORED: Final = ("temperature", "prompt", "chunking_strategy", "known_speaker_names", "known_speaker_references")
"""Fields that change nothing: decoding draws nothing at random and takes no prompt, and recordings are always cut at their pauses."""
LANGUAGES: Final = ("pt", "por", "portuguese")

Phrase = Annotated[str, Field(min_length=1, max_length=100)]


class FormError(ValueError):
    """A field is missing or wrong.

    Args:
        message: what is wrong, without the value that was sent.
        param: the field.
    """

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


class Form(BaseModel):
    """The fields of a request, but for the file."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    model: str = Field(min_length=1, max_length=200)
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"
    stream: bool = False
    language: str | None = Field(default=None, max_length=40)
    languages: tuple[Annotated[str, Field(max_length=40)], ...] = Field(default=(), max_length=100)
    keywords: tuple[Phrase, ...] = Field(default=(), max_length=100, description="hot words")
    include: tuple[Literal["logprobs"], ...] = ()
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = ()
    temperature: float = Field(default=0.0, ge=0, le=1)
    chunking_strategy: str | None = None

    @property
    def phrases(self) -> tuple[str, ...]:
        """Return the hot words, each once, with single spaces, in lower case."""
        return tuple(dict.fromkeys(" ".join(word.lower().split()) for word in self.keywords if word.strip()))


@dataclass(frozen=True, slots=True)
class Upload:
    """A request.

    Args:
        form: its fields.
        file: its recording.
        ignored: its fields that change nothing.
    """

    form: Form
    file: UploadFile
    ignored: tuple[str, ...]


def read_form(items: Iterable[tuple[str, str | UploadFile]]) -> Upload:
    """Return a request from the parts of its form.

    Raises:
        FormError: a field is missing or wrong.
    """
    fields: dict[str, Any] = {}
    file: UploadFile | None = None
    for name, value in items:
        base = name.partition("[")[0]
        if base == "file":
            if isinstance(value, str):
                raise FormError("file is a field without a file name; send it as a file", "file")
            file = value
        elif not isinstance(value, str):
            raise FormError("only file may be a file", base if base in Form.model_fields else "file")
        elif base in LISTS:
            fields.setdefault(base, []).append(value)
        elif base == "chunking_strategy":
            fields[base] = value if name in (base, "chunking_strategy[type]") else fields.get(base, "server_vad")
        else:
            fields[base] = value
    if file is None:
        raise FormError("the file is missing: a form (multipart/form-data) with the fields file and model is expected", "file")
    try:
        form = Form.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = str(first["loc"][0])
        raise FormError(f"{param}: {first['msg']}", param) from None
    _check(form)
    return Upload(form, file, tuple(name for name in IGNORED if name in fields))


def _check(form: Form) -> None:
    """Refuse combinations that have no meaning."""
    languages = [form.language] if form.language else []
    if form.languages or languages:
        known = {language.lower().partition("-")[0] for language in (*languages, *form.languages)}
        if not known & set(LANGUAGES):
            raise FormError("the model transcribes Portuguese: language pt", "language" if languages else "languages")
    if form.timestamp_granularities and form.response_format != "verbose_json":
        raise FormError("timestamp_granularities needs the response_format verbose_json", "timestamp_granularities")
    if form.include and form.response_format != "json":
        raise FormError("include needs the response_format json", "include")
    if form.stream and form.response_format in ("srt", "vtt"):
        raise FormError(f"{form.response_format} cannot be streamed", "response_format")
