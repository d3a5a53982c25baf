"""A table of cases: what was expected of each, what was seen, and how long it took."""

from .checks import CALLER_MS, EPSILON_MS, mark


class Table:
    def __init__(self):
        print(f"bounds have {EPSILON_MS} ms of slack, those of 5 ms have {CALLER_MS}", flush=True)
        self.line("    ", "row", "case", "expected", "seen", "     ms")

    def line(self, mark, row, case, expected, seen, ms):
        print(f"{mark} {row:3} {case:52} {expected:51} {seen:49} {ms}", flush=True)

    def row(self, row, case, expected, seen, held, ms):
        self.line(mark(held), row, case, expected, str(seen), f"{ms:7.1f}")

    def check(self, row, case, expected, outcome, after, by, slack=EPSILON_MS):
        """`expected` says what is right, in words, and whether an outcome is; its time is from `after` to `by` and the slack."""
        words, is_right = expected
        held = is_right(outcome) and after <= outcome.ms <= by + slack
        seen = " ".join(word for word in (outcome.code, outcome.reason.removeprefix("SERVICE_A_"), outcome.told("details")) if word)
        self.row(row, case, f"{words}, by {by} ms", seen, held, outcome.ms)


def failed(reason, details):
    """B's UNAVAILABLE, for this reason and with this detail."""
    told = ("UNAVAILABLE", reason, "service-b", details)
    is_right = lambda seen: (seen.code, seen.reason, seen.hop, seen.told("details")) == told
    return f"{reason.removeprefix('SERVICE_A_')} {details}", is_right


ok = ("OK", lambda seen: seen.code == "OK")
# By B's clock or by gRPC's own in the caller: both measure the same deadline.
deadline_exceeded = ("DEADLINE_EXCEEDED", lambda seen: seen.code == "DEADLINE_EXCEEDED" and seen.hop in ("", "service-b"))
