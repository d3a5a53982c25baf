"""Rows 26 and 29: B at its limit of calls, and a caller who leaves."""

import statistics
import time

from .basics import health
from .caller import caller
from .checks import EPSILON_MS, check
from .outcome import Expected
from .processes import hostile_peer, service_a, service_b


def run():
    full()
    leaves_a()
    leaves_a_peer()


def full():
    with service_a() as a, service_b(a.address, "--max-concurrent-calls", "1") as b, caller(b.address) as client:
        assert client.ask().code == "OK"
        call = client.begin(behaviour="keep-open")
        refused = [client.ask() for _ in range(20)]
        expected = Expected("RESOURCE_EXHAUSTED", "OVERLOADED", attempts=None, pushback=True, by=10)
        expected.check("row 26, B at its limit of calls, the slowest of 20", max(refused, key=lambda outcome: outcome.ms))
        median, reasons = statistics.median(outcome.ms for outcome in refused), {outcome.reason for outcome in refused}
        check("row 26, all the same, and 10 ms in the median", reasons == {"OVERLOADED"} and median <= 10, f"{median:.1f} ms")
        health("row 26, B meanwhile", client)
        call.cancel()


def leaves_a():
    with service_a("--workers", "1") as a, service_b(a.address) as b, caller(b.address) as client:
        call = client.begin(behaviour="keep-open")
        # On the same connections, behind it: when this one is answered, A has the other.
        assert client.ask().code == "OK"
        call.cancel()
        for name, process, endpoint in [("A", a, "endpoint=/echo"), ("B", b, "endpoint=/call-echo")]:
            line = process.line_with("code=CANCELLED", 5)
            check(f"row 29, {name}'s line says CANCELLED", endpoint in line and "http=499" in line, line)


def leaves_a_peer():
    with hostile_peer("stall") as peer, service_b(peer.address) as b, caller(b.address) as client:
        call = client.begin()
        peer.line_with("called")
        began = time.monotonic()
        call.cancel()
        peer.line_with("cancelled by the client", 5)
        took = (time.monotonic() - began) * 1000
        check("row 29, A sees it within 50 ms", took <= 50 + EPSILON_MS, f"{took:.1f} ms")
