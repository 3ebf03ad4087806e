"""What tests of remote read share: blocks, queries, and a client that decodes answers the obvious way."""
