"""Queries while blocks come and go and index-headers are unloaded: each answer is right for some moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from storegate.query.call import Call
from storegate.query.request import LabelMatcher, LabelValuesRequest, MatchType, SeriesRequest
from storegate.testing import obvious_series, write_block

ROUNDS = 40
NAMES = LabelMatcher(MatchType.RE, "pod", "p-.*[0-4]")
REQUEST = SeriesRequest(min_time=0, max_time=10**6, matchers=(NAMES,))
LIMITED = SeriesRequest(min_time=0, max_time=10**6, matchers=(NAMES,), limit=3)
VALUES = LabelValuesRequest(label="pod", start=0, end=10**6, matchers=(LabelMatcher(MatchType.NEQ, "pod", ""),))


class Plan:
    """A block of forty series."""

    def __init__(self, replica, seed):
        self.options = {"external_labels": {"replica": replica}, "seed": seed, "created": 1_700_000_000_000}

    def write(self, folder):
        samples = [(t, float(t % 7)) for t in range(0, 300_000, 1000)]
        return write_block(folder, [({"pod": f"p-{i:02}"}, samples) for i in range(40)], **self.options)


def comparable(series):
    return [(one.labels, [(c.min_time, c.max_time, dict(c.aggregates)) for c in one.chunks]) for one in series]


def test_answers_stay_right_while_blocks_come_and_go(serve, tmp_path):
    settings = {
        "cache_index_header": True,
        "data_dir": tmp_path,
        "index_header": {"lazy": True, "idle_timeout": "1h"},
        "limits": {"concurrency": 3},
    }
    with serve([Plan("a", 1), Plan("b", 2)], settings, {"lists.SMALL_INDEX": 0}) as served:
        syncer = served.gateway._syncer
        stays, goes = served.blocks
        right = [comparable(obvious_series(blocks, REQUEST)) for blocks in ([stays], [stays, goes])]
        stopped = threading.Event()

        def churn():
            while not stopped.is_set():
                block = syncer.catalog.remove(goes.ulid)
                if block is not None:
                    block.drop()
                for other in syncer.catalog.snapshot().blocks.values():
                    other.unload_idle_header(0.0)
                syncer.sync_once()

        def ask():
            for _ in range(ROUNDS):
                assert served.series(REQUEST) in right
                assert len(served.series(LIMITED)) == 3
                assert served.gateway.label_values(VALUES, Call()).values == [f"p-{i:02}" for i in range(40)]
            return True

        def give_up():
            for i in range(ROUNDS):
                call = Call()
                stream = served.gateway.series(REQUEST, call)
                for number, _ in enumerate(stream):
                    if number == i % 3:
                        break
                call.cancel()
                stream.close()
            return True

        with ThreadPoolExecutor(5) as pool:
            churning = pool.submit(churn)
            asking = [pool.submit(work) for work in (ask, ask, give_up)]
            try:
                assert all(work.result(60) for work in asking)
            finally:
                stopped.set()
            churning.result(60)
        assert served.series(REQUEST) in right
        assert served.gateway.registry.get_sample_value("thanos_bucket_store_series_gate_queries_in_flight") == 0
