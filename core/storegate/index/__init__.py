"""Reading a block's index: the index-header, postings, series, matchers."""
