"""Each thing that can be wrong, and where it is said to be."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from storegate.block.verify import Problem, verify_block
from storegate.errors import NotFoundError, UnavailableError
from storegate.testing import RawChunk, read_index
from storegate.testing.chunks import build_aggregate, encode_xor
from storegate.testing.faults import Fault, FaultyStore, shorten
from storegate.testing.index_writer import ChunkEntry, IndexSeries, build_index
from storegate.testing.segment_writer import chunk_entry


def only(problems: tuple[Problem, ...]) -> Problem:
    (problem,) = problems
    return problem


def labels_of(block: Any, ref: int) -> dict[str, str]:
    return dict(read_index(block.get("index")).series[16 * ref].labels)


class TestFiles:
    def test_a_missing_meta(self, make: Any) -> None:
        block = make()
        block.delete("meta.json")
        verdict = block.verify()
        assert block.codes() == [("error", "meta-missing", "meta.json")]
        assert (verdict.series, verdict.chunks, verdict.samples) == (7, 12, 760)

    def test_a_meta_of_another_block(self, make: Any) -> None:
        block = make()
        block.change_meta(lambda meta: meta.update(ulid="01HF7YAT00YPRPA8JAB2VS3WEZ"))
        assert "not the name of its folder" in only(block.verify().problems).message

    def test_an_unknown_resolution(self, make: Any) -> None:
        block = make()
        block.change_meta(lambda meta: meta["thanos"]["downsample"].update(resolution=7))
        assert block.codes() == [("error", "meta", "meta.json")]

    def test_segment_names_that_are_none(self, make: Any) -> None:
        block = make(files=False)
        block.change_meta(lambda meta: meta["thanos"].update(segment_files=["../x"]))
        assert block.codes() == [
            ("error", "object-missing", "chunks/../x"),
            ("warning", "object-unknown", "chunks/000001"),
            ("error", "meta", "meta.json"),
        ]
        assert block.verify().chunks == 12

    def test_a_missing_index(self, make: Any) -> None:
        block = make()
        block.delete("index")
        assert block.codes() == [("error", "object-missing", "index")]
        assert block.verify().chunks == 12

    def test_a_missing_segment_is_told_with_the_chunks_that_it_held(self, make: Any) -> None:
        block = make(segment_size=500)
        lost = sum(entry.segment == 1 for one in block.obvious().series() for entry in one.chunks)
        block.delete("chunks/000002")
        missing, chunks = block.verify().problems
        assert (missing.code, missing.object) == ("object-missing", "chunks/000002")
        assert (chunks.code, chunks.object, chunks.offset) == ("chunks-lost", "chunks/000002", 8)
        assert chunks.message == f"{lost} chunks lie in this segment, which does not exist"
        assert chunks.labels.startswith("{__name__=")

    def test_a_segment_that_is_cut_off(self, make: Any) -> None:
        block = make()
        data = block.get("chunks/000001")
        block.put("chunks/000001", data[:1000])
        size, chunk, lost = block.verify().problems
        assert size.message == f"it has 1000 bytes, but meta.json says {len(data)}"
        assert (chunk.message, chunk.code) == ("a chunk goes past the end of its segment", "chunk")
        assert (lost.code, lost.offset >= 1000) == ("chunks-lost", True)
        assert lost.message.endswith("chunks lie behind its end at 1000")

    def test_foreign_files_are_warned_of(self, make: Any) -> None:
        block = make()
        block.put("notes.txt", b"x")
        block.put("chunks/000007", b"x")
        assert block.codes() == [
            ("warning", "object-unknown", "chunks/000007"),
            ("warning", "object-unknown", "notes.txt"),
        ]
        assert block.verify().sound

    def test_marks_are_no_foreign_files(self, make: Any) -> None:
        block = make()
        block.put("deletion-mark.json", b'{"id": "%s", "version": 1, "deletion_time": 1}' % block.ulid.encode())
        block.put("no-compact-mark.json", b'{"version": 1, "reason": "manual"}')
        assert block.codes() == []

    @pytest.mark.parametrize("name", ["deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json"])
    def test_a_broken_mark_is_warned_of(self, make: Any, name: str) -> None:
        block = make()
        block.put(name, b"{")
        assert block.codes() == [("warning", "mark", name)]

    @pytest.mark.parametrize(
        ("number", "code"), [("numSeries", "statistics"), ("numChunks", "statistics"), ("numSamples", "statistics")]
    )
    def test_wrong_numbers(self, make: Any, number: str, code: str) -> None:
        block = make()
        block.change_meta(lambda meta: meta["stats"].update({number: 5}))
        problem = only(block.verify().problems)
        assert (problem.code, problem.object) == (code, "meta.json")
        assert problem.message.startswith(f"stats.{number} is 5, but the block has ")

    def test_numbers_that_are_left_out_are_no_problem(self, make: Any) -> None:
        block = make()
        block.change_meta(lambda meta: meta.update(stats={}))
        assert block.codes() == []


class TestIndex:
    @pytest.mark.parametrize(
        ("at", "code"),
        [(0, "index-header"), (4, "index-header"), (12, "symbols"), (-60, "postings-table"), (-1, "index-toc")],
    )
    def test_a_broken_frame(self, make: Any, at: int, code: str) -> None:
        block = make()
        data = bytearray(block.get("index"))
        data[at] ^= 0x40
        block.put("index", bytes(data))
        assert block.codes() == [("error", code, "index")]

    def test_chunks_are_read_without_an_index_to_tell_of_them(self, make: Any) -> None:
        block = make(segment_size=500)
        block.put("index", block.get("index")[:-1])
        data = bytearray(block.get("chunks/000002"))
        data[20] ^= 1
        block.put("chunks/000002", bytes(data))
        verdict = block.verify()
        assert [(one.code, one.object) for one in verdict.problems] == [
            ("object-size", "index"),
            ("index-toc", "index"),
            ("chunk", "chunks/000002"),
        ]
        assert verdict.chunks == 12

    def test_a_series_is_named_by_its_ref(self, make: Any) -> None:
        block = make()
        offset = sorted(read_index(block.get("index")).series)[2]
        data = bytearray(block.get("index"))
        data[offset + 3] ^= 1
        block.put("index", bytes(data))
        problem = only(block.verify().problems)
        assert (problem.code, problem.offset, problem.series) == ("series", offset, offset // 16)
        assert problem.message == "the checksum of a series entry does not match"

    def test_the_chunks_of_a_series_that_cannot_be_read_are_read_all_the_same(self, make: Any) -> None:
        block = make()
        offset = sorted(read_index(block.get("index")).series)[2]
        data = bytearray(block.get("index"))
        data[offset + 3] ^= 1
        block.put("index", bytes(data))
        verdict = block.verify()
        assert (verdict.series, verdict.chunks) == (6, 12)

    def test_series_are_found_without_the_list_of_them(self, make: Any) -> None:
        block = make()
        data = bytearray(block.get("index"))
        data[block.list_at("", "") + 9] ^= 1
        block.put("index", bytes(data))
        verdict = block.verify()
        assert only(verdict.problems).message == "the checksum of the postings list of all series does not match"
        assert (verdict.series, verdict.chunks) == (7, 12)

    def test_series_out_of_order(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "2"}, [chunk(1)]), ({"a": "1"}, [chunk(1)]), ({"a": "3"}, [chunk(1)])], sort=False)
        problem = only(block.verify().problems)
        assert (problem.code, problem.labels) == ("series-order", '{a="1"}')
        assert labels_of(block, problem.series) == {"a": "1"}

    def test_the_same_series_twice(self, make_raw: Any, chunk: Any, small_windows: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1)]), ({"a": "1"}, [chunk(1)])])
        assert block.codes() == [("error", "series-order", "index")]
        with small_windows(1):
            assert block.codes() == [("error", "series-order", "index")]

    def test_a_series_whose_labels_begin_another_comes_first(self, make_raw: Any, chunk: Any) -> None:
        short, long = ({"a": "1"}, [chunk(1)]), ({"a": "1", "b": "2"}, [chunk(1)])
        assert make_raw([short, long]).codes() == []
        assert make_raw([long, short], sort=False).codes() == [("error", "series-order", "index")]

    def test_a_label_twice(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([((("a", "1"), ("b", "1"), ("b", "2")), [chunk(1)]), ({"b": "2"}, [chunk(1)])])
        problem = only(block.verify().problems)
        assert (problem.message, problem.labels) == ("it has two labels of the same name", '{a="1", b="1", b="2"}')

    def test_series_without_chunks_count(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, []), ({"a": "2"}, [chunk(1)]), ({"a": "3"}, [])])
        verdict = block.verify()
        assert (verdict.problems, verdict.series, verdict.chunks) == ((), 3, 1)

    def test_a_series_that_the_list_of_all_leaves_out(self, make: Any) -> None:
        block = make()
        refs: list[int] = []
        block.change_list("", "", lambda own: refs.extend(own) or own[:3] + own[4:])
        offset = next(one.offset for one in block.verify().problems if one.code == "series-unlisted")
        assert refs[2] * 16 < offset <= refs[3] * 16
        assert block.codes() == [("warning", "index-gap", "index"), ("error", "series-unlisted", "index")]
        assert block.verify().chunks == 12


class TestPostings:
    def test_a_list_with_a_ref_of_another_series(self, make: Any) -> None:
        block = make()
        refs: list[int] = []
        at = block.change_list("pod", "p-1", lambda own: refs.extend(own) or [own[0] + 2])
        problem = only(block.verify().problems)
        assert (problem.code, problem.offset, problem.series) == ("postings-differ", at, refs[0])
        assert problem.message == (
            f'the postings list of {{pod="p-1"}} leaves out 1 of 1 series with the label, first {refs[0]} '
            f"and holds 1 refs of other series or of none, first {refs[0] + 2}"
        )

    def test_a_list_that_does_not_ascend(self, make: Any) -> None:
        block = make()
        at = block.change_list("job", "a", lambda own: own[::-1])
        problem = only(block.verify().problems)
        assert (problem.code, problem.offset) == ("postings", at)
        assert problem.message == "a postings list is not in ascending order"

    def test_several_lists_each_by_itself(self, make: Any) -> None:
        block = make()
        data = bytearray(block.get("index"))
        places = [block.list_at("pod", f"p-{n}") for n in (0, 2, 4)]
        for at in places:
            data[at + 8] ^= 1
        block.put("index", bytes(data))
        assert [one.offset for one in block.verify().problems] == places

    def test_a_length_that_readers_pass_over(self, make: Any) -> None:
        block = make()
        data = bytearray(block.get("index"))
        at = block.list_at("pod", "p-2")
        data[at + 3] += 4
        block.put("index", bytes(data))
        assert only(block.verify().problems).message == (
            "a postings list says that it has 12 bytes, but its 1 refs take 8"
        )

    def test_lists_and_series_that_do_not_know_each_other(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1)]), ({"a": "2"}, [chunk(1)])])
        entries = read_index(block.get("index")).series.values()
        own = [ChunkEntry(entry.chunks[0].min_time, entry.chunks[0].max_time, entry.chunks[0].ref) for entry in entries]
        honest = build_index([IndexSeries(((b"a", b"1"),), own[:1]), IndexSeries(((b"a", b"2"),), own[1:])]).data
        other = build_index([IndexSeries(((b"a", b"1"),), own[:1]), IndexSeries(((b"a", b"3"),), own[1:])]).data
        # the symbols and series of one index, the postings and table of another: only the text "3" is not known
        cut = struct.unpack(">6Q", honest[-52:-4])[4]
        block.put("index", honest[:cut] + other[cut:])
        problems = block.verify().problems
        assert [one.code for one in problems] == ["postings-pair", "postings-missing"]
        assert problems[0].message == 'a postings list is that of a="3", which is not among the symbols'
        assert (problems[1].message, problems[1].labels) == ('no postings list has its label {a="2"}', '{a="2"}')


class TestChunks:
    def test_a_broken_chunk_is_named_by_place_and_series(self, make: Any) -> None:
        block = make()
        one = block.obvious().series()[3]
        data = bytearray(block.get("chunks/000001"))
        data[one.chunks[0].offset + 30] ^= 1
        block.put("chunks/000001", bytes(data))
        problem = only(block.verify().problems)
        assert (problem.code, problem.object, problem.offset) == ("chunk", "chunks/000001", one.chunks[0].offset)
        assert (problem.series, problem.labels) == (
            one.offset // 16,
            "{" + ", ".join(f'{name}="{value}"' for name, value in one.labels) + "}",
        )

    def test_a_segment_that_is_none(self, make: Any) -> None:
        block = make()
        block.put("chunks/000001", b"\0" + block.get("chunks/000001")[1:])
        assert block.codes() == [("error", "segment-header", "chunks/000001")]

    @pytest.mark.parametrize(
        ("made", "message"),
        [
            (RawChunk(1, 1, 4, b"\0\1xx"), "unsupported chunk encoding 4"),
            (RawChunk(1, 1, 255, b"\5"), "an aggregate chunk is malformed"),
            (RawChunk(1, 2, 1, b"\0\2" + encode_xor([(1, 1.0)])[2:]), "a chunk ends before its last sample"),
            (RawChunk(1, 2, 3, b"\0\1\0\0\xff\xff"), "a native histogram has an unknown schema"),
        ],
    )
    def test_chunks_that_are_senseless_under_right_checksums(
        self, make_raw: Any, chunk: Any, made: RawChunk, message: str
    ) -> None:
        block = make_raw([({"a": "1"}, [chunk(0)]), ({"a": "2"}, [made]), ({"a": "3"}, [chunk(0)])], max_time=9)
        problem = only(block.verify().problems)
        assert (problem.message, problem.labels) == (message, '{a="2"}')

    def test_samples_outside_the_times_of_the_index(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1, 2, 30, max_time=20)])])
        problem = only(block.verify().problems)
        assert (problem.severity, problem.code) == ("error", "chunk-times")
        assert problem.message == "samples from 1 to 30, but the index says 1 to 20"

    def test_times_of_the_index_that_are_too_wide_are_warned_of(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(5, 6, min_time=0, max_time=9)])])
        assert block.codes() == [("warning", "chunk-times", "chunks/000001")]

    def test_times_that_go_back(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1, 5, 5, 4, 9)])])
        assert only(block.verify().problems).message == "2 samples are not later than the one before"

    def test_an_aggregate_with_other_times_is_named(self, make_raw: Any) -> None:
        data = build_aggregate(count=(1, encode_xor([(5, 1.0)])), sum=(1, encode_xor([(7, 1.0)])))
        block = make_raw([({"a": "1"}, [RawChunk(5, 5, 255, data)])], resolution=300_000)
        assert only(block.verify().problems).message == "sum: samples from 7 to 7, but the index says 5 to 5"

    def test_a_counter_may_begin_early_and_repeat_its_last_time(self, make_raw: Any) -> None:
        counter = encode_xor([(1, 1.0), (5, 2.0), (5, 2.0)])
        data = build_aggregate(count=(1, encode_xor([(5, 1.0)])), counter=(1, counter))
        assert make_raw([({"a": "1"}, [RawChunk(5, 5, 255, data)])], resolution=300_000).codes() == []

    def test_chunks_outside_the_block(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1), chunk(5, 9)])], min_time=2, max_time=9)
        first, second = block.verify().problems
        assert {first.code, second.code} == {"chunk-outside"}
        assert first.message == "a chunk from 1 to 1 is not within the block's time"

    def test_chunks_that_overlap_are_warned_of(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1, 5), chunk(4, 9)]), ({"a": "2"}, [chunk(1)])])
        assert block.codes() == [("warning", "chunk-overlap", "index")]

    def test_a_chunk_that_ends_before_it_begins(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(5, min_time=5, max_time=3)])], min_time=0, max_time=9)
        assert ("error", "chunk-range", "index") in block.codes()

    def test_a_chunk_of_two_series(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1)]), ({"a": "2"}, [chunk(1)])])
        shared = [IndexSeries(((b"a", value),), [ChunkEntry(1, 1, 8)]) for value in (b"1", b"2")]
        block.put("index", build_index(shared).data)
        twice, unlisted = (one for one in block.verify().problems if one.code != "object-size")
        assert (twice.message, twice.labels) == (
            "a chunk belongs to two entries of the index (segment 0, offset 8)",
            '{a="2"}',
        )
        assert (unlisted.severity, unlisted.code) == ("warning", "chunks-unlisted")

    def test_a_chunk_of_two_series_that_are_far_apart(self, make_raw: Any, chunk: Any, small_windows: Any) -> None:
        block = make_raw([({"a": str(n)}, [chunk(1)]) for n in range(3)], files=False)
        first, middle, _ = [one.chunks[0].ref for one in block.obvious().series()]
        refs = first, middle, first
        series = [IndexSeries(((b"a", b"%d" % n),), [ChunkEntry(1, 1, ref)]) for n, ref in enumerate(refs)]
        block.put("index", build_index(series).data)
        with small_windows(1):
            shared, unlisted = block.verify().problems
        assert (shared.code, shared.object, shared.offset, unlisted.code) == (
            "chunk-ref",
            "chunks/000001",
            first,
            "chunks-unlisted",
        )

    def test_a_ref_to_a_segment_that_is_not_in_the_list(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": "1"}, [chunk(1)])], files=False)
        block.put("index", build_index([IndexSeries(((b"a", b"1"),), [ChunkEntry(1, 1, (3 << 32) + 8)])]).data)
        problem = block.verify().problems[0]
        assert problem.message == "a chunk ref names an unknown segment (segment 3, offset 8)"

    def test_chunks_that_no_series_has_are_warned_of(self, make: Any) -> None:
        block = make(files=False)
        data = block.get("chunks/000001")
        block.put("chunks/000001", data + chunk_entry(1, encode_xor([(1, 1.0)])))
        problem = only(block.verify().problems)
        assert (problem.severity, problem.code, problem.offset) == ("warning", "chunks-unlisted", len(data))

    def test_a_chunk_longer_than_what_is_read_at_once(self, make_raw: Any, small_windows: Any) -> None:
        long = RawChunk(0, 4999, 1, encode_xor([(t, float(t * t % 97)) for t in range(5000)]))
        block = make_raw([({"a": "1"}, [long]), ({"a": "2"}, [long])])
        with small_windows(16):
            assert block.verify().samples == 10_000
        block.put("index", block.get("index")[:-1])
        with small_windows(16):
            assert block.verify().samples == 10_000

    def test_a_length_that_is_absurd(self, make: Any) -> None:
        block = make()
        offset = block.obvious().series()[1].chunks[0].offset
        data = bytearray(block.get("chunks/000001"))
        data[offset : offset + 5] = b"\xff\xff\xff\x7f\0"
        block.put("chunks/000001", bytes(data))
        problem = only(block.verify().problems)
        assert (problem.offset, problem.message) == (offset, "a chunk says that it has 268435455 bytes")


class TestLimit:
    def test_the_limit_ends_the_verification(self, make: Any) -> None:
        block = make()
        block.put("chunks/000001", bytes(len(block.get("chunks/000001"))))
        verdict = block.verify(limit=3)
        assert (len(verdict.problems), verdict.errors, verdict.complete, verdict.sound) == (3, 3, False, False)

    def test_problems_of_one_kind_are_folded(self, make_raw: Any, chunk: Any) -> None:
        block = make_raw([({"a": f"{n:03}"}, [chunk(5)]) for n in range(30)], min_time=0, max_time=3)
        verdict = block.verify()
        assert (len(verdict.problems), verdict.errors) == (10, 30)
        assert verdict.folded == {("index", "chunk-outside"): 20}

    def test_warnings_do_not_make_a_block_unsound(self, make: Any) -> None:
        block = make()
        block.put("x", b"")
        verdict = block.verify()
        assert (verdict.errors, verdict.warnings, verdict.sound) == (0, 1, True)


class TestStore:
    def test_a_block_that_is_not_there(self, make: Any) -> None:
        block = make()
        with pytest.raises(NotFoundError, match="01HF7YAT00YPRPA8JAB2VS3WEZ does not exist"):
            verify_block(block.store, "01HF7YAT00YPRPA8JAB2VS3WEZ")

    @pytest.mark.parametrize("key", ["*/meta.json", "*/index", "*/chunks/*"])
    def test_errors_of_the_store_are_raised(self, make: Any, key: str) -> None:
        block = make()
        faulty = FaultyStore(block.store, Fault(key=key, operation="get*", error=UnavailableError("down")))
        with pytest.raises(UnavailableError, match="down"):
            verify_block(faulty, block.ulid)

    def test_an_object_that_shrinks_meanwhile_ends_the_verification(self, make: Any) -> None:
        block = make()
        faulty = FaultyStore(block.store, Fault(key="*/chunks/*", operation="get_range", change=shorten(3)))
        verdict = verify_block(faulty, block.ulid)
        assert [(one.code, one.object) for one in verdict.problems] == [("object-changed", "chunks/000001")]
        assert not verdict.complete
