"""Server processes on loopback that tests start, kill, stop for a while, and start again on the same port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 10.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port


class ServerProcess:
    """One program that listens on a port of 127.0.0.1. `folder` holds its output."""

    def __init__(self, program: str, package: str, arguments: Sequence[str], port: int, folder: Path) -> None:
        path = shutil.which(program)
        assert path is not None, f"{program} is not installed: apt-get install {package}"
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.folder = folder
        self._command = [path, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, and wait until it serves."""
        with (self.folder / "output.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.folder)
        try:
            wait_for(self.serves, START_SECONDS, f"{self._command[0]} does not serve: see {self.folder}")
        except BaseException:
            self.kill()
            raise

    def serves(self) -> bool:
        """Whether it accepts connections; an error when it ended."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self._command[0]} ended:\n{self.output()}"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once; connections are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing; connections stay, and new ones are accepted by the kernel."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def output(self) -> str:
        """What it has written so far."""
        return (self.folder / "output.log").read_text(errors="replace")


def wait_for(condition: Callable[[], bool], seconds: float, message: str) -> None:
    """Until the condition holds; an AssertionError after so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, message
        time.sleep(0.01)
