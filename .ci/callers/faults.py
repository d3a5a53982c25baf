"""Rows 20 to 23 and 28: A is asked to fail (`rpc-behavior`), and B tells its caller no more than it may know."""

from dataclasses import replace

import grpc

from .caller import caller
from .outcome import Expected
from .peers import ERROR, ROUND_TRIP
from .processes import service_a, service_b

CAP_MS = 500
SAYS_SO = Expected("UNAVAILABLE", "SERVICE_A_UNAVAILABLE", by=ROUND_TRIP)
TIMEOUT = Expected("UNAVAILABLE", "SERVICE_A_TIMEOUT", by=ROUND_TRIP)
OVERLOADED = Expected("RESOURCE_EXHAUSTED", "SERVICE_A_OVERLOADED", "service-a", pushback=True, by=ROUND_TRIP)


def expected(code):
    """What B makes of A's code."""
    row, expected = {
        "UNAVAILABLE": (20, replace(SAYS_SO, hop="service-a", retry=True)),
        "RESOURCE_EXHAUSTED": (21, OVERLOADED),
        "DEADLINE_EXCEEDED": (22, TIMEOUT),
        "CANCELLED": (22, SAYS_SO),
    }.get(code, (23, ERROR))
    return row, replace(expected, upstream_code=code)


def run():
    with service_a() as a, service_b(a.address, "--service-a-timeout", f"{CAP_MS}ms") as b, caller(b.address) as client:
        assert client.ask().code == "OK"
        for code in list(grpc.StatusCode)[1:]:
            row, outcome = expected(code.name)
            outcome.check(f"row {row}, A answers {code.name}", client.ask(behaviour=f"error-code-{code.value[0]}"))
        never = Expected("UNAVAILABLE", "SERVICE_A_TIMEOUT", details="no answer", pushback=True, after=CAP_MS - 2, by=CAP_MS)
        never.check("row 28, no deadline, and A never answers", client.ask(timeout=None, behaviour="keep-open"))
