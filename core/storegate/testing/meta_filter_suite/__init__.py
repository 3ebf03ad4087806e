"""One acceptance suite for all meta filters, as a class of tests to inherit.

    class TestAcme(MetaFilterSuite):
        @pytest.fixture(scope="class")
        def meta_filter(self):
            return make_filter(AcmeConfig(older_than="90d"), context)

`meta_filter` is the filter with settings that let it drop something. Tests ask it about the metas and deletion marks of
the conformance corpus, or about random ones; `states` may list the states that it can give.
"""

from __future__ import annotations

import pytest

for _name in ("corpus", "answers", "purity"):  # asserts explain themselves, as in a test module
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from storegate.testing.meta_filter_suite.answers import AnswerTests  # noqa: E402
from storegate.testing.meta_filter_suite.corpus import corpus_marks, corpus_metas  # noqa: E402
from storegate.testing.meta_filter_suite.purity import PurityTests  # noqa: E402

__all__ = ["MetaFilterSuite", "corpus_marks", "corpus_metas"]


class MetaFilterSuite(AnswerTests, PurityTests):
    """What every meta filter must do."""
