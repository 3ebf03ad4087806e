"""For object stores that speak HTTP: one pool of connections, ranges that are verified, statuses as errors.

`pool` needs urllib3: only the modules of factories import it. `answers` needs nothing.

The SDK of a store spends several times what a request needs. Where its API is a few plain requests, a plugin lets the
SDK find credentials, and asks the store by itself:

    pool = HttpPool(config.http_config, "https://storage.acme.example", "ACME bucket")
    got = pool.read_range(f"/{bucket}/{quoted_key}", headers, offset, buffer)

What it raises, plugins translate in one place: `answers.StatusError` with `error_of_status`, urllib3's own errors with
`unreachable`.
"""
