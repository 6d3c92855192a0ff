"""``small_segments.py COMMAND…`` listens on a free port of 127.0.0.1, which it leaves to the command as descriptor 3.

Connections have the segments of a network. With those of the loopback, of 64 KiB, the system itself holds megabytes for
each client that does not read, and what a test would see is how the system fares.
"""

from __future__ import annotations

import os
import socket
import sys

ETHERNET = 1448

if __name__ == "__main__":
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    os.dup2(listener.detach(), 3)
    os.set_inheritable(3, True)
    os.execvp(sys.argv[1], sys.argv[1:])
