"""Profiles of this very process: CPU, waiting, threads, memory, and the file format of pprof."""

from __future__ import annotations

import asyncio
import gzip
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from storegate.profiling import heap, sampler, threads
from storegate.profiling.pprof import encode
from storegate.profiling.profile import Frame, Profile, collapsed, stack_of, top

WAIT = 10.0


@contextmanager
def running(target: Any, name: str = "") -> Iterator[threading.Event]:
    """A thread that runs `target` until the context ends; it gets an event that says so."""
    stop = threading.Event()
    thread = threading.Thread(target=target, args=(stop,), name=name or None)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def burn_the_cpu(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(200))


def wait_idly(stop: threading.Event) -> None:
    stop.wait()


def total(profile: Profile, function: str) -> int:
    """The value of all samples that hold a function."""
    return sum(
        values[-1]
        for (stack, _), values in profile.samples.items()
        if any(frame.function == function for frame in stack)
    )


@pytest.fixture(scope="module")
def profile() -> Profile:
    with running(burn_the_cpu, "burner_3"), running(wait_idly):
        return sampler.cpu_profile(0.3, threading.Event())


class TestCpuProfile:
    def test_time_is_put_down_to_the_calls_that_spent_it(self, profile: Profile) -> None:
        assert total(profile, "burn_the_cpu") > sum(values[-1] for values in profile.samples.values()) / 2

    def test_a_thread_that_waits_spends_next_to_nothing(self, profile: Profile) -> None:
        assert total(profile, "wait_idly") < total(profile, "burn_the_cpu") / 50

    def test_the_sum_is_no_more_than_the_process_used(self) -> None:
        with running(burn_the_cpu), running(burn_the_cpu):
            before = time.process_time_ns()
            found = sampler.cpu_profile(0.2, threading.Event())
            used = time.process_time_ns() - before
        assert sum(values[-1] for values in found.samples.values()) <= used

    def test_threads_of_a_pool_count_together(self, profile: Profile) -> None:
        assert "burner" in {thread for _, thread in profile.samples}

    def test_it_ends_early_when_it_should(self) -> None:
        stop = threading.Event()
        stop.set()
        assert sampler.cpu_profile(WAIT, stop).duration < WAIT * 1e9 / 2

    def test_threads_that_end_meanwhile_do_no_harm(self) -> None:
        with running(lambda stop: [threading.Thread(target=time.perf_counter).start() for _ in range(200)]):
            sampler.cpu_profile(0.1, threading.Event(), interval=0.001)


def test_waiting_shows_in_a_wall_profile() -> None:
    with running(wait_idly, "idler"):
        profile = sampler.wall_profile(0.2, threading.Event())
    assert total(profile, "wait_idly") > 0.1e9


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("read_12", "read"),
        ("Thread-7 (run)", "Thread-7 (run)"),
        ("ThreadPoolExecutor-0_3", "ThreadPoolExecutor"),
        ("MainThread", "MainThread"),
        ("12", "12"),
    ],
)
def test_the_number_of_a_thread_is_left_out(name: str, group: str) -> None:
    assert sampler.group_of(name) == group


class TestThreads:
    def test_every_thread_is_shown_with_its_calls(self) -> None:
        with running(wait_idly, "a-named-thread"):
            text = threads.all_stacks()
        assert re.search(r"^thread \d+ a-named-thread:\n", text, re.MULTILINE)
        assert "in wait_idly\n    stop.wait()" in text

    def test_tasks_of_event_loops_are_shown(self) -> None:
        async def patient_task() -> None:
            await asyncio.sleep(WAIT)

        async def look() -> str:
            task = asyncio.ensure_future(patient_task())
            await asyncio.sleep(0)
            text = await asyncio.to_thread(threads.all_stacks)
            task.cancel()
            return text

        text = asyncio.run(look())
        assert re.search(r"^task Task-\d+ .*patient_task:\n", text, re.MULTILINE)
        assert "await asyncio.sleep(WAIT)" in text

    def test_equal_stacks_are_grouped(self) -> None:
        started = threading.Barrier(4)

        def wait_together(stop: threading.Event) -> None:
            started.wait(WAIT)
            wait_idly(stop)

        with running(wait_together, "w_1"), running(wait_together, "w_2"), running(wait_together, "w_3"):
            started.wait(WAIT)
            deadline = time.monotonic() + WAIT
            while "3 w\n" not in (text := threads.grouped_stacks()):
                assert time.monotonic() < deadline, text

    def test_the_profile_counts_threads(self) -> None:
        with running(wait_idly):
            profile = threads.thread_profile()
        assert sum(values[0] for values in profile.samples.values()) >= 2


class TestHeap:
    def test_objects_are_counted_by_type(self) -> None:
        class Odd:
            pass

        kept = [Odd() for _ in range(50)]
        profile = heap.census()
        name = f"{__name__}.{Odd.__qualname__}"
        (values,) = [values for (stack, _), values in profile.samples.items() if stack[0].function == name]
        assert values[0] == len(kept)
        assert values[1] > 0

    def test_an_object_that_lies_about_its_size_does_no_harm(self) -> None:
        class Liar:
            def __sizeof__(self) -> int:
                raise RuntimeError("no")

        kept = Liar()
        assert heap.census().samples
        assert kept

    def test_new_memory_is_put_down_to_the_lines_that_took_it(self) -> None:
        kept: list[bytearray] = []

        def grow(stop: threading.Event) -> None:
            while not stop.wait(0.001):
                kept.append(bytearray(10_000))

        with running(grow):
            profile = heap.new_memory(0.2, threading.Event())
        best, _, size = top(profile, 1)[0]
        assert best[0].file == __file__
        assert size >= 10_000

    def test_tracing_ends_with_the_profile(self) -> None:
        stop = threading.Event()
        stop.set()
        heap.new_memory(WAIT, stop)
        assert heap.traced_profile() is None

    def test_what_is_traced_already_is_not_traced_twice(self) -> None:
        heap.tracemalloc.start()
        try:
            assert heap.traced_profile() is not None
            with pytest.raises(RuntimeError, match="traced already"):
                heap.new_memory(0, threading.Event())
        finally:
            heap.tracemalloc.stop()

    def test_the_process_has_a_size(self) -> None:
        assert heap.process_memory()["VmRSS_bytes"] > 1 << 20


def make_profile() -> Profile:
    profile = Profile(kinds=(("samples", "count"), ("cpu", "nanoseconds")), began=5, duration=6, period=7)
    inner, outer = Frame("inner", "/src/pkg/mod.py", 3), Frame("outer;odd\nname", "/src/pkg/mod.py", 300)
    profile.add((inner, outer), "pool", 1, 100)
    profile.add((inner, outer), "pool", 2, 200)
    profile.add((outer,), "", 1, 1 << 40)
    profile.add((Frame("nothing"),), "", 1, 0)
    return profile


def test_collapsed_stacks_have_the_outermost_call_first() -> None:
    assert collapsed(make_profile()).splitlines() == [
        "outer,odd name (pkg/mod.py:300) 1099511627776",
        "pool;outer,odd name (pkg/mod.py:300);inner (pkg/mod.py:3) 300",
    ]


def test_an_empty_profile_is_an_empty_text() -> None:
    assert collapsed(Profile(kinds=(("samples", "count"),))) == ""


def test_a_stack_has_the_innermost_call_first_and_an_end() -> None:
    def deep(depth: int) -> Any:
        return deep(depth - 1) if depth else stack_of(threads.sys._getframe())

    stack = deep(300)
    assert stack[0].function.endswith("deep")
    assert len(stack) == 200


@pytest.fixture(scope="module")
def read() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="perftools.profiles", syntax="proto3")

    def message(name: str, /, **fields: tuple[int, str, bool]) -> None:
        made = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            entry = made.field.add(name=field, number=number, label=3 if repeated else 1)
            if kind in ("int64", "uint64", "string"):
                entry.type = {"int64": 3, "uint64": 4, "string": 9}[kind]
            else:
                entry.type, entry.type_name = 11, f".perftools.profiles.{kind}"

    message("ValueType", type=(1, "int64", False), unit=(2, "int64", False))
    message("Label", key=(1, "int64", False), str=(2, "int64", False))
    message("Sample", location_id=(1, "uint64", True), value=(2, "int64", True), label=(3, "Label", True))
    message("Line", function_id=(1, "uint64", False), line=(2, "int64", False))
    message("Location", id=(1, "uint64", False), line=(4, "Line", True))
    message(
        "Function",
        id=(1, "uint64", False),
        name=(2, "int64", False),
        system_name=(3, "int64", False),
        filename=(4, "int64", False),
    )
    message(
        "Profile",
        sample_type=(1, "ValueType", True),
        sample=(2, "Sample", True),
        location=(4, "Location", True),
        function=(5, "Function", True),
        string_table=(6, "string", True),
        time_nanos=(9, "int64", False),
        duration_nanos=(10, "int64", False),
        period_type=(11, "ValueType", False),
        period=(12, "int64", False),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("perftools.profiles.Profile"))
    return lambda data: kind.FromString(gzip.decompress(data))


class TestPprof:
    """Read with protobuf itself, by the message that github.com/google/pprof publishes."""

    def test_samples_functions_and_lines_are_found_again(self, read: Any) -> None:
        found = read(encode(make_profile()))
        names = found.string_table
        functions = {function.id: (names[function.name], names[function.filename]) for function in found.function}
        locations = {place.id: (functions[place.line[0].function_id], place.line[0].line) for place in found.location}
        samples = [
            ([locations[number] for number in sample.location_id], list(sample.value)) for sample in found.sample
        ]
        assert samples[0] == (
            [(("inner", "/src/pkg/mod.py"), 3), (("outer;odd\nname", "/src/pkg/mod.py"), 300)],
            [3, 300],
        )
        assert samples[1][1] == [1, 1 << 40]
        assert names[found.sample[0].label[0].str] == "pool"

    def test_the_head_tells_units_and_times(self, read: Any) -> None:
        found = read(encode(make_profile()))
        names = found.string_table
        assert names[0] == ""
        kinds = [(names[kind.type], names[kind.unit]) for kind in found.sample_type]
        assert kinds == [("samples", "count"), ("cpu", "nanoseconds")]
        assert (found.time_nanos, found.duration_nanos, found.period) == (5, 6, 7)

    def test_a_real_profile_is_sound(self, read: Any) -> None:
        found = read(encode(threads.thread_profile()))
        known = {place.id for place in found.location}
        assert {number for sample in found.sample for number in sample.location_id} == known
