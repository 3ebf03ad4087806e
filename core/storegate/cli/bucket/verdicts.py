"""What a verification found, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from storegate.block.verify import Problem, Verdict
from storegate.block.verify.labels import printable
from storegate.cli.bucket.tables import GAP, wrap
from storegate.cli.bucket.words import count, plural, size
from storegate.errors import StoregateError

Outcome = Verdict | StoregateError
"""A verdict, or why there is none."""
COLOURS = {"error": "red", "warning": "yellow"}


def is_sound(outcome: Outcome) -> bool:
    """Whether the block was read whole and nothing is damaged."""
    return isinstance(outcome, Verdict) and outcome.sound


def outcome_text(ulid: str, outcome: Outcome, width: int) -> str:
    """One line about a block, and one for each problem."""
    if not isinstance(outcome, Verdict):
        text = f"{ulid}  could not be verified: {printable(str(outcome))}"
        return "\n".join(click.style(line, fg="red") for line in wrap(text.split(" "), width, " ", ""))
    lines = [f"{ulid}  {_judgement(outcome)}"]
    for problem in outcome.problems:
        words = problem_text(problem).split(" ")
        lines += [click.style(line, fg=COLOURS[problem.severity]) for line in wrap(words, width, " ", hanging=GAP)]
    lines += wrap_all(_rest(outcome), width)
    return "\n".join(lines)


def _judgement(verdict: Verdict) -> str:
    tally = ((verdict.errors, "error"), (verdict.warnings, "warning"))
    problems = ", ".join(plural(number, word) for number, word in tally if number)
    if not verdict.sound:
        return f"{click.style('damaged', fg='red')}: {problems}"
    read = f"{count(verdict.series)} series  {count(verdict.samples)} samples  {size(verdict.bytes)}"
    return f"{click.style('sound', fg='green')}  " + (problems or read)


def wrap_all(texts: Iterator[str], width: int) -> list[str]:
    """Indented lines of all texts."""
    return [line for text in texts for line in wrap(text.split(" "), width, " ")]


def problem_text(problem: Problem) -> str:
    """`chunks/000001 at 8: the checksum of a chunk does not match [chunk], series 5 {__name__="up"}`."""
    where = printable(problem.object) + (f" at {problem.offset}" if problem.offset >= 0 else "")
    series = f", series {problem.series} {problem.labels}".rstrip() if problem.series >= 0 else ""
    return f"{where}: {printable(problem.message)} [{problem.code}]{series}"


def _rest(verdict: Verdict) -> Iterator[str]:
    for (path, code), number in verdict.folded.items():
        yield f"and {number:,} more [{code}] in {printable(path)}"
    if not verdict.complete:
        yield "not read to the end"


def summary_text(outcomes: Mapping[str, Outcome], passed_over: Sequence[str]) -> str:
    """`25 blocks, 3.2 MiB: 24 sound, 1 damaged`."""
    verdicts = [outcome for outcome in outcomes.values() if isinstance(outcome, Verdict)]
    sound = sum(verdict.sound for verdict in verdicts)
    tally = ((sound, "sound"), (len(verdicts) - sound, "damaged"), (len(outcomes) - len(verdicts), "not verified"))
    counted = ", ".join(f"{number} {word}" for number, word in tally if number)
    text = f"{plural(len(outcomes), 'block')}, {size(sum(verdict.bytes for verdict in verdicts))}"
    text += f": {counted}" if counted else ""
    return text + (f"; {plural(len(passed_over), 'block')} without meta.json passed over" if passed_over else "")


def outcomes_document(outcomes: Mapping[str, Outcome], passed_over: Sequence[str]) -> dict[str, Any]:
    """All of it as JSON; offsets and sizes are bytes, null where there is nothing to tell."""
    return {
        "sound": all(map(is_sound, outcomes.values())),
        "blocks": [_outcome_document(ulid, outcome) for ulid, outcome in outcomes.items()],
        "passed_over": list(passed_over),
    }


def _outcome_document(ulid: str, outcome: Outcome) -> dict[str, Any]:
    if not isinstance(outcome, Verdict):
        return {"ulid": ulid, "sound": False, "complete": False, "error": str(outcome)}
    return {
        "ulid": ulid,
        "sound": outcome.sound,
        "complete": outcome.complete,
        "error": None,
        "errors": outcome.errors,
        "warnings": outcome.warnings,
        "problems": [_problem_document(problem) for problem in outcome.problems],
        "more": [{"object": path, "code": code, "count": count} for (path, code), count in outcome.folded.items()],
        "series": outcome.series,
        "chunks": outcome.chunks,
        "samples": outcome.samples,
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
    }


def _problem_document(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "code": problem.code,
        "object": problem.object,
        "offset": problem.offset if problem.offset >= 0 else None,
        "series": problem.series if problem.series >= 0 else None,
        "labels": problem.labels or None,
        "message": problem.message,
    }
