"""A terminal of its own for a program, whose size changes as a scenario says: terminal.py COLUMNS ROWS PROGRAM ARGUMENT...

What the program shows goes to standard output. Each line on standard input is a JSON document: {"type": "text"}, as on a
keyboard, or {"size": [columns, rows]}, at which the kernel sends SIGWINCH. Ends with the program, with its status.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

LONGEST_SECONDS = 150


def set_size(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


def obey(terminal, line):
    order = json.loads(line)
    if 'size' in order:
        set_size(terminal, *order['size'])
    else:
        os.write(terminal, order['type'].encode())


def show(terminal):
    """False: nothing has it open any more."""
    try:
        data = os.read(terminal, 65536)
    except OSError:
        return False
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return bool(data)


def relay(terminal):
    inputs, waiting = [terminal, sys.stdin.fileno()], b''
    while True:
        ready, _, _ = select.select(inputs, [], [])
        if terminal in ready and not show(terminal):
            return
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), 65536)
            if not data:
                inputs.remove(sys.stdin.fileno())
            *lines, waiting = (waiting + data).split(b'\n')
            for line in lines:
                obey(terminal, line)


def main():
    signal.alarm(LONGEST_SECONDS)
    begin, go = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        os.read(begin, 1)
        os.execvp(sys.argv[3], sys.argv[3:])
    set_size(terminal, int(sys.argv[1]), int(sys.argv[2]))
    os.write(go, b'.')
    relay(terminal)
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
