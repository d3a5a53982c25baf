"""Services and hostile peers as real processes, their lines, and real signals."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

from .arguments import binaries


class Process:
    """A program that logs to its standard output."""

    def __init__(self, command):
        self.lines, self.ended, self.news = [], False, threading.Condition()
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.popen.stdout:
            with self.news:
                self.lines.append(line.strip())
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def line_with(self, text, seconds=10):
        """The first line so far or to come that has this text. Errors: none comes in time, or none can come any more."""
        found = lambda: next((line for line in self.lines if text in line), None)
        with self.news:
            self.news.wait_for(lambda: found() or self.ended, seconds)
            line = found()
        if line is None:
            raise TimeoutError(f"no line with {text!r} within {seconds} s, but {self.lines[-5:]}")
        return line

    def count(self, text):
        with self.news:
            return sum(text in line for line in self.lines)

    def freeze(self):
        self.popen.send_signal(signal.SIGSTOP)
        os.waitpid(self.popen.pid, os.WUNTRACED)  # a stop takes effect a little later, when the last thread has

    def thaw(self):
        self.popen.send_signal(signal.SIGCONT)

    def terminate(self):
        self.popen.terminate()

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def exit_code(self, seconds=15):
        return self.popen.wait(seconds)


@contextlib.contextmanager
def running(name, *flags, before=()):
    """The program of that name, for as long as the block lasts; `before` it stands what shall run it, such as `ip netns exec`.

    Its first line says where it listens: `listening=http://<address>`.
    """
    process = Process([*before, os.path.join(binaries, name), *flags])
    try:
        process.address = re.search(r"listening=http://(\S+)", process.line_with("listening="))[1]
        yield process
    finally:
        process.kill()
        process.reader.join(5)
        process.popen.stdout.close()


def service_a(*flags, listen="127.0.0.1:0"):
    return running("service-a", "--listen", listen, "--fault-injection", *flags)


def service_b(a, *flags):
    """B on a free port, with this address for A; one worker, so that calls on one connection reach A in their order.

    Without retries, which would hide what became of the first attempt; transparent ones are always made.
    """
    return running("service-b", "--listen", "127.0.0.1:0", "--service-a", a, "--workers", "1", "--retry-attempts", "1", *flags)


def hostile_peer(behaviour):
    return running("lab", "peer", behaviour, "--listen", "127.0.0.1:0")


def within(seconds, happens):
    """How many milliseconds it took until `happens()` was true, or None if it did not happen in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if happens():
            return (time.monotonic() - began) * 1000
        time.sleep(0.005)
    return None
