"""Reading one block whole, to find whatever is wrong with it (spec/formats.md).

Nothing of a block is kept but its symbols, its postings offset table and some numbers for each label pair; series and
chunks pass through in windows. So memory follows the number of different label pairs, not the size of the block.
"""

from __future__ import annotations

from storegate.block.verify.report import Problem
from storegate.block.verify.verdict import Verdict, verify_block

__all__ = ["Problem", "Verdict", "verify_block"]
