"""Secrets are masked."""

from __future__ import annotations

import pytest

from flows.redaction import redact


def test_secrets_are_masked_and_other_text_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "abcdef-123456")
    monkeypatch.setenv("SHORT_TOKEN", "abc")
    assert redact("key abcdef-123456 of abc, s3://bucket/x, http://u:p@h:1/x") == "key *** of abc, s3://bucket/x, http://***@h:1/x"


def test_a_secret_of_several_lines_is_masked_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_PRIVATE_KEY", "-----BEGIN KEY-----\nMIIEvAIBADANBg\n-----END KEY-----\n")
    assert redact("line 2: MIIEvAIBADANBg") == "line 2: ***"
