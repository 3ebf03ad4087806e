"""Relabel rules over the external labels of a block, as Prometheus defines them; the three actions that select."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator


def _as_text(value: object) -> object:
    """YAML reads `regex: 1` as a number; it means the text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_as_text)]


class RelabelRule(BaseModel):
    """One rule. The regex is RE2, anchored at both ends, and its dot matches newlines."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    action: Annotated[Literal["keep", "drop", "hashmod"], BeforeValidator(_lower)] = Field(
        description="keep or drop blocks that match; or hashmod: set a label to a hash of the values, modulo `modulus`."
    )
    source_labels: tuple[Text, ...] = Field(default=(), description="Their values, joined, are what is looked at.")
    separator: Text = Field(default=";", description="Put between the values.")
    regex: Text = Field(default="(.*)", description="For keep and drop.")
    modulus: int = Field(default=0, ge=0, description="For hashmod: how many shards.")
    target_label: Text = Field(default="", description="For hashmod: the label to set; later rules see it.")

    _pattern: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> RelabelRule:
        if self.action == "hashmod":
            if self.modulus < 1:
                raise ValueError("hashmod needs a modulus of at least 1")
            if not self.target_label:
                raise ValueError("hashmod needs a target_label")
        else:
            self._pattern = compile_regex(self.regex)
        return self

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._pattern.fullmatch(text) is not None


def compile_regex(regex: str) -> Any:
    """A compiled RE2; ValueError when it is none."""
    import re2  # only configurations with rules need it

    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        cause = error.args[0] if error.args else error
        text = cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)
        raise ValueError(f"regex {regex!r} is not valid RE2: {text}") from error


def keeps(rules: Sequence[RelabelRule], labels: dict[str, str]) -> bool:
    """Whether a block with these labels passes; `labels` receives what hashmod rules set."""
    for rule in rules:
        text = rule.separator.join(labels.get(name, "") for name in rule.source_labels)
        if rule.action == "hashmod":
            labels[rule.target_label] = str(hashmod(text, rule.modulus))
        elif rule.matches(text) != (rule.action == "keep"):
            return False
    return True


def hashmod(text: str, modulus: int) -> int:
    """The last 8 bytes of the MD5 sum, big-endian, modulo `modulus`."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "big") % modulus
