"""Fetching what the cache lacks once, however many requests want it at the same time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from storegate.flights import Flights, may_wait
from storegate.steps import Wait, Work

K = TypeVar("K")
V = TypeVar("V")
Ask = Callable[[Collection[K]], Work[dict[K, V]]]


def fetch_together(
    flights: Flights, keys: Mapping[K, str], landings: int, look_again: Ask[K, V], fetch: Ask[K, V]
) -> Work[tuple[dict[K, V], dict[K, V]]]:
    """(what `fetch` brought, what other requests brought or the cache now has) of the items in `keys`.

    `landings` is that of the flights before the cache was asked. `fetch` brings all items that it is given and puts
    them into the cache; while it runs it may wait for flights of another kind only. A fetch that fails for reasons of
    its request is taken over by one of those who waited; on an event loop nobody is waited for.
    """
    own: dict[K, V] = {}
    others: dict[K, V] = {}
    wanted = dict(keys)
    while wanted:
        mine, theirs = flights.board(wanted.values())
        leading = dict.fromkeys(mine)
        try:
            if late := set(flights.landed_since(mine, landings)):
                again = {item for item, key in wanted.items() if key in late}
                others |= _land(flights, wanted, leading, (yield from look_again(again)))
            alone = bool(theirs) and not may_wait()
            todo = [item for item, key in wanted.items() if key in leading or (alone and key in theirs)]
            if todo:
                brought = yield from fetch(todo)
                own |= brought
                _land(flights, wanted, leading, brought)
                assert not leading, "fetch must bring all that it was asked for"
        except BaseException as error:
            flights.give_up(leading, error)
            raise
        if not theirs or alone:
            break
        yield Wait(list(theirs.values()))
        landings = flights.landings
        wanted = {item: key for item, key in wanted.items() if key in theirs}
        for item, key in list(wanted.items()):
            flight = theirs[key]
            if flight.brought:
                others[item] = flight.value
                del wanted[item]
            elif flight.error is not None:
                raise flight.error.with_traceback(None)
    return own, others


def _land(flights: Flights, keys: Mapping[K, str], leading: dict[str, None], values: dict[K, V]) -> dict[K, V]:
    landing = {keys[item]: value for item, value in values.items() if keys[item] in leading}
    flights.land(landing)
    for key in landing:
        del leading[key]
    return values
