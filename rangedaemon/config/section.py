"""What all sections of the configuration have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Frozen, without unknown keys; the docstring below a field is its description."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        hide_input_in_errors=True,
    )


def empty_is_default(value: object) -> object:
    """A section whose keys are all commented out is there, with its defaults."""
    return {} if value is None else value


def defaults() -> Any:
    """A section that is left out: its defaults, validated as if they were written there."""
    return Field(default_factory=dict)
