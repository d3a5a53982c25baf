"""What one call came to, with everything that gRPC's rich errors tell of it, and what was expected."""

import time
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from .checks import EPSILON_MS, check

DOMAIN = "echo.v1"


class Outcome:
    """What one call came to; `timeout` is what it was given, in seconds. It may have begun earlier than it is waited for."""

    def __init__(self, call, timeout=None, began_at=None):
        self.timeout_ms = None if timeout is None else timeout * 1000
        self.response, self.error = None, None
        self.info, self.retry, self.bad_request = error_details_pb2.ErrorInfo(), None, None
        began = time.monotonic()
        try:
            self.response = call()
        except grpc.RpcError as error:
            self.error = error
        now = time.monotonic()
        self.ms, self.whole_ms = (now - began) * 1000, (now - (began_at or began)) * 1000
        self.code = self.error.code().name if self.error else "OK"
        if self.error:
            self.unpack(rpc_status.from_call(self.error))
        self.reason, self.hop = self.info.reason, self.info.metadata.get("hop", "")

    def unpack(self, status):
        for detail in status.details if status else []:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                detail.Unpack(self.info)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                self.retry = error_details_pb2.RetryInfo.FromString(detail.value)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                self.bad_request = error_details_pb2.BadRequest.FromString(detail.value)

    def told(self, key):
        """What the details say under this key; None if nothing."""
        return self.info.metadata.get(key)

    @property
    def pushback(self):
        """`grpc-retry-pushback-ms` (gRFC A6)."""
        return dict(self.error.trailing_metadata() or ()).get("grpc-retry-pushback-ms") if self.error else None

    def __str__(self):
        told = [self.code, self.reason, self.hop and f"from {self.hop}", self.told("details"), self.told("upstream_code")]
        attempts = self.told("attempts")
        return " · ".join(word for word in [*told, attempts and f"attempts {attempts}", f"{self.ms:.1f} ms"] if word)


@dataclass(frozen=True)
class Expected:
    """What a call must come to. An error's attempts, details and upstream code are compared too, and so is their absence."""

    code: str
    reason: str = ""
    hop: str = "service-b"
    details: str | None = None
    upstream_code: str | None = None
    attempts: int | None = 1
    # `RetryInfo`, and `grpc-retry-pushback-ms: -1`: at most one of them.
    retry: bool = False
    pushback: bool = False
    # From when to when, in ms.
    after: float = 0
    by: float = 0

    def unmet(self, seen):
        """Everything that is not as it must be, in words; empty if nothing is."""
        wrong = [] if seen.code == self.code else [f"expected {self.code}"]
        if not self.after <= seen.ms <= self.by + EPSILON_MS:
            wrong.append(f"expected after {self.after:.0f} and within {self.by + EPSILON_MS:.0f} ms")
        return wrong + (self.unmet_details(seen) if seen.error else [])

    def unmet_details(self, seen):
        expected = {
            "domain": (seen.info.domain, DOMAIN),
            "reason": (seen.reason, self.reason),
            "hop": (seen.hop, self.hop),
            "details": (seen.told("details"), self.details),
            "upstream_code": (seen.told("upstream_code"), self.upstream_code),
            "attempts": (seen.told("attempts"), self.attempts and str(self.attempts)),
            "RetryInfo": (seen.retry is not None, self.retry),
            "grpc-retry-pushback-ms": (seen.pushback, "-1" if self.pushback else None),
        }
        wrong = [f"expected {key} {right!r}, not {told!r}" for key, (told, right) in expected.items() if told != right]
        return wrong + (unmet_times(seen) if self.attempts else [])

    def check(self, what, seen):
        unmet = self.unmet(seen)
        check(what, not unmet, f"{seen}{' – ' if unmet else ''}{', '.join(unmet)}")


def unmet_times(seen):
    """B's own figures: how long it had the call, and what it was given. gRPC rounds a timeout on its way by up to 2 %."""
    wrong = []
    elapsed, deadline = seen.told("elapsed_ms"), seen.told("deadline_ms")
    if elapsed is None or not 0 <= int(elapsed) <= seen.whole_ms + 1:
        wrong.append(f"expected elapsed_ms within {seen.whole_ms:.0f}, not {elapsed}")
    if seen.timeout_ms is None and deadline is not None:
        wrong.append(f"expected no deadline_ms, not {deadline}")
    if seen.timeout_ms is not None:
        least, most = seen.timeout_ms * 0.9 - EPSILON_MS, seen.timeout_ms * 1.02 + 1
        if deadline is None or not least <= int(deadline) <= most:
            wrong.append(f"expected deadline_ms about {seen.timeout_ms:.0f}, not {deadline}")
    return wrong
