"""Log lines for systemd's journal, over its native datagram protocol."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading

_SOCKET = "/run/systemd/journal/socket"
_PRIORITY = {"error": 3, "warn": 4, "info": 6, "debug": 7}


class JournalWriter:
    """A text stream that takes JSON lines and sends each as one journal entry. Thread-safe."""

    def __init__(self, path: str = _SOCKET) -> None:
        """Raises OSError when nothing listens at `path`."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._lock = threading.Lock()
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def write(self, text: str) -> int:
        for line in text.splitlines():
            with self._lock:
                self._socket.send(entry(json.loads(line)))
        return len(text)

    def flush(self) -> None:
        """Every entry is sent at once."""

    def close(self) -> None:
        self._socket.close()


def entry(event: dict[str, object]) -> bytes:
    """One event in the journal's format: message, priority, and the other keys with the prefix `THANOS_`."""
    fields = {
        "MESSAGE": str(event.get("msg") or event.get("err") or "(no message)"),
        "PRIORITY": str(_PRIORITY.get(str(event.get("level")), 6)),
        "SYSLOG_IDENTIFIER": "storegate",
    }
    for key, value in event.items():
        if key != "msg":
            fields["THANOS_" + re.sub(r"[^A-Z0-9]", "_", key.upper())] = (
                value if isinstance(value, str) else json.dumps(value)
            )
    return b"".join(_field(name, value) for name, value in fields.items())


def _field(name: str, value: str) -> bytes:
    data = value.encode()
    if b"\n" in data:  # such values are sent with their length
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"
