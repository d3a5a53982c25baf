"""What B answers when packets vanish: rows 7 to 10 and 12 of the failure contract, on a wire that is really cut.

Usage: netns_caller.py <folder with service-a and service-b> <folder with echo.proto> <A's namespace> <the router's>

`.ci/netns` starts it in B's network namespace. Exits with 0 only if every check held.
"""

import threading
import time

from callers import checks, link
from callers.caller import caller
from callers.checks import CALLER_MS, EPSILON_MS
from callers.processes import service_b, within
from callers.table import Table, deadline_exceeded, failed, ok

CONNECT_MS, CAP_MS = 1000, 2000
# The kernel's at B: 10 s of silence, then a probe a second, three of them; as long where bytes are not acknowledged.
KEEPALIVE_MS = 13_000
# What its timers may add: for times as long as these they tick every quarter of a second, and a repeat that is due comes first.
TICKS_MS = 500
# A's: 20 s, and 8 s.
A_KEEPALIVE_MS = 28_000
# Row 12: 1.3 s, and the connect that is under way when the wire heals has its own timeout to run out first.
BACK_MS = 1300 + CONNECT_MS

UNREACHABLE = failed("SERVICE_A_UNREACHABLE", "connect timeout")
NO_ROUTE = failed("SERVICE_A_UNREACHABLE", "no route")
TIMEOUT = failed("SERVICE_A_TIMEOUT", "no answer")
LOST = failed("SERVICE_A_CONNECTION_LOST", "no answer to keepalive")


def main():
    table = Table()
    with link.service_a("--fault-injection", "--workers", "1") as a:
        the_wire(table, a)
        black_hole(table, a)
        nobody(table)
        short_loss(table, a)
        half_open(table, a)
    checks.end()


def the_wire(table, a):
    """That the rest means something: a cut wire is silent."""
    error, ms = link.connect(a.address, 1)
    table.row("–", "the wire is whole: connect", "connected", error or "connected", error is None, ms)
    link.cut()
    error, ms = link.connect(a.address, 1.5)
    link.heal()
    silent = isinstance(error, TimeoutError) and error.errno is None
    table.row("–", "the wire is cut: connect", "silence, no ICMP", repr(error), silent, ms)


def black_hole(table, a):
    """Row 10: cut before B starts."""
    link.cut()
    with service_b(a.address) as b, caller(b.address) as client:
        calls = together(8, client.ask)
        first = client.ask(timeout=0.3)
        table.check("8", "black hole, first try, 300 ms to go", deadline_exceeded, first, 290, 300)
        outcomes = calls()
        for outcome in (min(outcomes, key=lambda outcome: outcome.ms), max(outcomes, key=lambda outcome: outcome.ms)):
            table.check("10", "black hole, first try, 8 callers", UNREACHABLE, outcome, 0, CONNECT_MS)
        at_once(table, client)
        link.heal()
        back(table, client, "after the black hole")


def at_once(table, client):
    """Two seconds of calls: backoff, the next try and its second of silence lie within, and no call waits for any of it."""
    outcomes, until = [], time.monotonic() + 2
    while time.monotonic() < until:
        outcomes.append(client.ask())
        time.sleep(0.02)
    outcomes.sort(key=lambda outcome: outcome.ms)
    median, slowest = outcomes[len(outcomes) // 2], outcomes[-1]
    table.check("10", f"then, the median of {len(outcomes)} calls", UNREACHABLE, median, 0, 5, slack=CALLER_MS)
    table.check("10", "then, the slowest of them", UNREACHABLE, slowest, 0, 50)


def back(table, client, when):
    ms = within(5, lambda: client.ask().code == "OK")
    table.row("12", f"the wire is healed {when}", f"OK by {BACK_MS} ms", "OK" if ms else "no OK", ms and ms <= BACK_MS + EPSILON_MS, ms or 5000)


def nobody(table):
    """Row 10 again: the net is there, the host is not. And row 1's other face: the router says that there is no way."""
    for address, expected, by, what in [
        (link.ABSENT, UNREACHABLE, CONNECT_MS, "a host that is not there"),
        (link.NOWHERE, NO_ROUTE, 50, "a net without a route"),
    ]:
        with service_b(f"{address}:8080") as b, caller(b.address) as client:
            table.check("10" if by == CONNECT_MS else "1", what, expected, client.ask(), 0, by)


def short_loss(table, a):
    """Half a second of loss is TCP's business: the call is answered, late, and nobody hears of it."""
    with service_b(a.address) as b, caller(b.address) as client:
        assert client.ask().code == "OK"
        link.cut()
        call = together(1, client.ask)
        # The loss itself: it lasts half a second.
        time.sleep(0.5)
        link.heal()
        table.check("7", "500 ms of loss in the middle of a call", ok, call()[0], 500, CAP_MS - 100, slack=0)


def half_open(table, a):
    """Rows 7, 8 and 9: connected, then cut. One B with patience for the keepalive, one with its usual cap."""
    with service_b(a.address, "--service-a-timeout", "60s") as patient, service_b(a.address) as usual:
        with caller(patient.address) as slow, caller(usual.address) as client:
            kept = together(1, lambda: slow.ask(timeout=50, behaviour="keep-open"))
            # A, with one worker, has the other call when it has answered this one, which went the same way behind it.
            assert slow.ask().code == client.ask().code == "OK"
            link.cut()
            cut_at = time.monotonic()
            table.check("8", "half-open, 300 ms to go", deadline_exceeded, client.ask(timeout=0.3), 290, 300)
            table.check("7", "half-open, B's cap first", TIMEOUT, client.ask(), CAP_MS - 2, CAP_MS)
            until_dead(table, client, cut_at)
            lost = kept()[0]
            table.check("9", "half-open, a call longer than the keepalive", LOST, lost, KEEPALIVE_MS - 100, KEEPALIVE_MS + TICKS_MS)
            vanished(table, a, cut_at)
            link.heal()
            back(table, client, "after half a minute")
            back(table, slow, "after half a minute, the other B")


def until_dead(table, client, cut_at):
    """One call after the other: each runs into the cap, until the kernel has declared the connection dead."""
    timeouts = 0
    while (outcome := client.ask()).reason == "SERVICE_A_TIMEOUT":
        timeouts += 1
        if time.monotonic() - cut_at > 20:
            break
    dead_ms = (time.monotonic() - cut_at) * 1000
    what = f"half-open, after {timeouts} more that ran into the cap"
    told = outcome.reason == "SERVICE_A_CONNECTION_LOST" and outcome.told("details") == "no answer to keepalive"
    table.row("9", what, f"lost, by {KEEPALIVE_MS} ms", outcome.reason, told and dead_ms <= KEEPALIVE_MS + TICKS_MS, dead_ms)
    table.check("10", "then, while B connects anew", UNREACHABLE, client.ask(), 0, CONNECT_MS)
    at_once(table, client)


def vanished(table, a, cut_at):
    """A's side of it: its caller is gone without a FIN, and so its call is cancelled within 30 s."""
    line = a.line_with("code=CANCELLED", 32)
    ms = (time.monotonic() - cut_at) * 1000
    held = "endpoint=/echo" in line and A_KEEPALIVE_MS - 200 <= ms <= 30_000
    table.row("–", "A's caller vanished: its call is cancelled", "CANCELLED, by 30000 ms", "CANCELLED", held, ms)


def together(count, call):
    """Begins the call so many times at once; gives a function that waits for what they came to."""
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()

    def wait():
        for thread in threads:
            thread.join()
        return outcomes

    return wait


if __name__ == "__main__":
    main()
