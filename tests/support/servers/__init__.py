"""Real servers on loopback, started for tests. Each module has the fixtures of one."""
