from __future__ import annotations

import subprocess
import sys


def test_threads_of_a_process_share_one_arena_once_asked_to():
    program = """
import ctypes, threading, re
from storegate.allocator import use_one_arena
assert use_one_arena()
def work():
    ctypes.CDLL(None).malloc(1000)
for _ in range(4):
    thread = threading.Thread(target=work); thread.start(); thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
stream = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, ctypes.c_void_p(stream))
libc.fclose(ctypes.c_void_p(stream))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 1
