"""The policy of a run: the params that decide what its verdict means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.core.files import hash_json

SECTIONS: Final = ("gate", "score")
"""Sections of params.yaml that belong to the policy."""
INDEX: Final = "gates_since_promotion"
"""The key of `gate` that is counted, not chosen: it belongs to a run, not to the policy."""


def policy_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy in params: their sections `gate` (without the gate index) and `score`.

    Args:
        params: content of params.yaml.
    """
    policy = {name: dict(params.get(name) or {}) for name in SECTIONS}
    policy["gate"].pop(INDEX, None)
    return policy


def policy_hash(params: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the policy in params: verdicts of equal policies are comparable."""
    return hash_json(policy_of(params))


def policy_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return how two policies differ, one entry per key: "gate.alpha 0.49 (0.05)", the value before in brackets.

    Args:
        before: a policy as `policy_of` returns it.
        after: likewise.
    """
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return [f"{key} {_shown(new, key)} ({_shown(old, key)})" for key in sorted(old | new) if key not in old or key not in new or old[key] != new[key]]


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [leaf for key, part in value.items() for leaf in _leaves(part, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def _shown(values: Mapping[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "absent"
