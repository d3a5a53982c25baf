"""Rows 1, 3, 5, 7, 8, 12 and 30: real processes, and real signals."""

import statistics
from dataclasses import replace

from .caller import caller
from .checks import CALLER_MS, EPSILON_MS, check
from .outcome import Expected
from .peers import LOST, UNREACHABLE
from .processes import service_a, service_b, within

TIMEOUT = Expected("UNAVAILABLE", "SERVICE_A_TIMEOUT", details="no answer", pushback=True, after=1998, by=2000)
REFUSED = replace(UNREACHABLE, details="connection refused")


def run():
    with service_a() as a, service_b(a.address) as b, caller(b.address) as client:
        assert client.ask().code == "OK"
        frozen(a, client)
        killed(a, b, client)
        with service_a(listen=a.address):
            back = within(5, lambda: client.ask().code == "OK")
            check("row 12, A is back: OK within 1.3 s", back is not None and back <= 1300 + EPSILON_MS, "never" if back is None else f"after {back:.0f} ms")
    finishes("row 3, A gets SIGTERM in the middle of a call", lambda a, b: a)
    finishes("row 30, B gets SIGTERM in the middle of a call", lambda a, b: b)


def frozen(a, client):
    a.freeze()
    in_time("row 8, A frozen, 300 ms", client.ask(timeout=0.3))
    lates = {client.ask(timeout=0.1).code for _ in range(20)}
    check("row 8, 20 more: never CANCELLED or UNKNOWN", lates == {"DEADLINE_EXCEEDED"}, lates)
    TIMEOUT.check("row 7, A frozen: B's cap of 2 s", client.ask())
    a.thaw()
    Expected("OK", by=50).check("row 7, A thawed", client.ask())


def in_time(what, late):
    """DEADLINE_EXCEEDED by B's clock or by gRPC's own here: both measure the same deadline."""
    deadline = Expected("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", after=late.timeout_ms - 10, by=late.timeout_ms)
    if late.reason:
        return deadline.check(what, late)
    held = late.code == "DEADLINE_EXCEEDED" and late.ms <= late.timeout_ms + EPSILON_MS
    return check(f"{what}, by its own clock", held, late)


def killed(a, b, client):
    """SIGKILL with a call that A has: it went out before one that was answered, on the same connection and one worker."""
    call = client.begin(behaviour="keep-open")
    assert client.ask().code == "OK"
    a.kill()
    lost = call.outcome()
    replace(LOST, details=lost.told("details")).check("row 5, A killed in the middle of a call", lost)
    # The system closes a dead process' connections; what the process had not read turns that into a reset.
    check("row 5, as a close or a reset", lost.told("details") in ("closed", "reset"), lost.told("details"))
    b.line_with("state=transient_failure")
    down = [client.ask() for _ in range(20)]
    REFUSED.check("row 1, A not there, the slowest of 20", max(down, key=lambda outcome: outcome.ms))
    median, reasons = statistics.median(outcome.ms for outcome in down), {outcome.reason for outcome in down}
    check("row 1, all the same, and 5 ms in the median", reasons == {REFUSED.reason} and median <= 5 + CALLER_MS, f"{median:.1f} ms")


def finishes(what, of):
    with service_a("--workers", "1") as a, service_b(a.address) as b, caller(b.address) as client:
        call = client.begin(behaviour="sleep-300ms")
        assert client.ask().code == "OK"
        stopping = of(a, b)
        stopping.terminate()
        outcome = call.outcome()
        held = outcome.code == "OK" and stopping.exit_code() == 0
        check(f"{what}: OK, then exit code 0", held, f"{outcome}, exit code {stopping.popen.returncode}")
