"""Reads that a cache of subranges leaves to the bucket, and what follows after each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from storegate.cache.subrange_plan import Plan
from storegate.objstore import ReadInto
from storegate.reads import Read, Taken

if TYPE_CHECKING:
    from storegate.cache.subranges import Subranges


@dataclass(slots=True, kw_only=True)
class Refill(Read):
    """Brings whole subranges from the bucket; `leads` are the keys of those that others may wait for."""

    plan: Plan
    subranges: Subranges
    leads: dict[int, str]

    def landed(self) -> Taken | None:
        if self.got == len(self.buffer):
            self.subranges.refilled(self)
            return None
        # The object is not as long as it was thought to be.
        self.failed(None)
        self.subranges.attributes.forget(self.key)
        return Taken([Direct.of(self.plan.read)])

    def failed(self, error: BaseException | None) -> None:
        leads, self.leads = self.leads, {}
        self.subranges.flights.give_up(leads.values(), error)


@dataclass(slots=True, kw_only=True)
class Again(Read):
    """Takes a read from the beginning; if told so, it asks the bucket for the size of the object first."""

    measured: ClassVar[bool] = False

    target: Read
    subranges: Subranges
    ask: bool

    @classmethod
    def of(cls, read: Read, subranges: Subranges, *, ask: bool = False) -> Again:
        return cls(read.key, read.offset, read.buffer, target=read, subranges=subranges, ask=ask)

    def perform(self, read_into: ReadInto) -> None:
        known = self.subranges.attributes.get(self.key) if self.ask else None
        if self.ask and (known is None or not known.sure):  # nobody else has asked meanwhile
            self.subranges.attributes.ask(self.key)

    def landed(self) -> Taken | None:
        if self.ask and self.subranges.attributes.get(self.key) is None:  # nothing is to be remembered
            return Taken([Direct.of(self.target)])
        return self.subranges.take([self.target])


@dataclass(slots=True, kw_only=True)
class Direct(Read):
    """Reads what is wanted past the cache."""

    target: Read

    @classmethod
    def of(cls, read: Read) -> Direct:
        return cls(read.key, read.offset, read.buffer, target=read)

    def landed(self) -> Taken | None:
        self.target.got = self.got
        return None
