"""Rows 4 to 6 and 13 to 19 of the failure contract: a hostile peer stands in A's place."""

from dataclasses import replace

from .caller import caller
from .outcome import Expected
from .processes import hostile_peer, service_b

CAP_MS = 600

ROUND_TRIP = 50
OK = Expected("OK", by=ROUND_TRIP)
UNREACHABLE = Expected("UNAVAILABLE", "SERVICE_A_UNREACHABLE", retry=True, by=ROUND_TRIP)
LOST = Expected("UNAVAILABLE", "SERVICE_A_CONNECTION_LOST", retry=True, by=ROUND_TRIP)
TIMEOUT = Expected("UNAVAILABLE", "SERVICE_A_TIMEOUT", details="no answer", pushback=True, after=CAP_MS - 2, by=CAP_MS)
NOT_HTTP2 = Expected("UNAVAILABLE", "SERVICE_A_NOT_GRPC", details="not HTTP/2", retry=True, by=ROUND_TRIP)
OVERLOADED = Expected("RESOURCE_EXHAUSTED", "SERVICE_A_OVERLOADED", pushback=True, by=ROUND_TRIP)
NOT_GRPC = Expected("INTERNAL", "SERVICE_A_NOT_GRPC", by=ROUND_TRIP)
BROKEN = Expected("INTERNAL", "SERVICE_A_BROKEN", by=ROUND_TRIP)
ERROR = Expected("INTERNAL", "SERVICE_A_ERROR", by=ROUND_TRIP)


def taken_twice(details, upstream_code=None):
    return replace(UNREACHABLE, details=details, upstream_code=upstream_code, attempts=2)


def broken(details, upstream_code="INTERNAL"):
    return replace(BROKEN, details=details, upstream_code=upstream_code)


def reset(number):
    """Row 16, with gRPC's own code for it: gRPC over HTTP/2, "Errors"."""
    own = {5: "UNKNOWN", 7: "UNAVAILABLE", 8: "CANCELLED", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED", 13: "UNKNOWN"}
    told = {"details": f"RST_STREAM {number}", "upstream_code": own.get(number, "INTERNAL")}
    if number == 7:
        return taken_twice(**told)
    return replace({8: LOST, 11: OVERLOADED}.get(number, BROKEN), **told)


def http(status):
    """Rows 14 and 15, with gRPC's own code for it: gRPC, "HTTP to gRPC Status Code Mapping"."""
    own = {400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED", 431: "INTERNAL"}
    proxy = status in (429, 502, 503, 504)
    told = {"details": f"HTTP {status}", "upstream_code": "UNAVAILABLE" if proxy else own.get(status, "UNKNOWN")}
    again = {"retry": False, "pushback": True} if status == 429 else {}
    return replace(UNREACHABLE if proxy else NOT_GRPC, **told, **again)


ROWS = [
    (4, "goaway-once", OK),
    (4, "refuse-stream-once", OK),
    (4, "goaway-then-answer", OK),
    (4, "goaway-0", taken_twice("going away")),
    (4, "goaway-0-error-2", taken_twice("going away")),
    (4, "rst-7-before-headers", reset(7)),
    (5, "close-before-headers", replace(LOST, details="closed")),
    (5, "reset-before-headers", replace(LOST, details="reset")),
    (5, "goaway-then-close", replace(LOST, details="closed")),
    (6, "headers-then-close", replace(LOST, details="closed")),
    (6, "half-message-then-close", replace(LOST, details="closed")),
    (6, "half-message-then-reset", replace(LOST, details="reset")),
    (6, "message-then-close", replace(LOST, details="closed")),
    (13, "http1-400", NOT_HTTP2),
    (13, "http1-503", NOT_HTTP2),
    (13, "garbage", NOT_HTTP2),
    (13, "tls-alert", NOT_HTTP2),
    (13, "close-on-accept", replace(UNREACHABLE, details="closed")),
    (13, "close-after-preface", replace(UNREACHABLE, details="closed")),
    (13, "reset-after-preface", replace(UNREACHABLE, details="reset")),
    *((14, f"http-{status}-html", http(status)) for status in (429, 502, 503, 504)),
    (14, "http-503-empty", http(503)),
    (14, "http-503-grpc-status-5", replace(ERROR, upstream_code="NOT_FOUND")),
    *((15, f"http-{status}-html", http(status)) for status in (200, 302, 400, 401, 403, 404, 408, 413, 431, 500)),
    *((16, f"rst-{number}-before-headers", reset(number)) for number in range(14) if number != 7),
    (16, "rst-8-in-body", reset(8)),
    (16, "rst-11-after-headers", reset(11)),
    (16, "answer-then-rst-0", OK),
    (17, "no-status", broken("no status", "UNKNOWN")),
    (17, "no-trailers", broken("no status", "UNKNOWN")),
    (17, "status-abc", broken("bad status", "UNKNOWN")),
    (17, "status-twice", broken("bad status", "UNKNOWN")),
    (17, "bad-details", Expected("UNAVAILABLE", "SERVICE_A_UNAVAILABLE", "service-a-or-proxy", upstream_code="UNAVAILABLE", retry=True, by=ROUND_TRIP)),
    (17, "bad-message-utf8", replace(ERROR, upstream_code="NOT_FOUND")),
    (17, "status-99", replace(ERROR, upstream_code="99")),
    (18, "no-message", broken("no message", "UNIMPLEMENTED")),
    (18, "two-messages", broken("two messages", "UNIMPLEMENTED")),
    (18, "endless-messages", broken("two messages", "UNIMPLEMENTED")),
    (18, "truncated", broken("cut short")),
    (18, "undecodable", broken("undecodable")),
    (18, "oversize", broken("too large", "RESOURCE_EXHAUSTED")),
    (18, "compressed-flag", broken("compressed")),
    (18, "bad-flag", broken("bad frame")),
    (18, "another-text", broken("another text")),
    (19, "headers-then-stall", TIMEOUT),
    (19, "half-message-then-stall", TIMEOUT),
    (19, "message-then-stall", TIMEOUT),
]


def run():
    for row, behaviour, expected in ROWS:
        with hostile_peer(behaviour) as peer, service_b(peer.address, "--service-a-timeout", f"{CAP_MS}ms") as b:
            with caller(b.address) as client:
                expected.check(f"row {row}, {behaviour}", client.ask())
