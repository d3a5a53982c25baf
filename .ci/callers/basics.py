"""A pair that is well: health, reflection, answers, and what a bad request gets (rows 25 and 27 among it)."""

import statistics

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from .arguments import messages, services
from .caller import caller
from .checks import CALLER_MS, EPSILON_MS, check
from .outcome import Expected, Outcome
from .processes import hostile_peer, service_a, service_b


def run():
    with service_a() as a, service_b(a.address) as b, caller(a.address) as to_a, caller(b.address) as to_b:
        health("A", to_a)
        health("B", to_b)
        reflection = ProtoReflectionDescriptorDatabase(to_b.channel)
        names = sorted(reflection.get_services())
        check("reflection lists the services", "echo.v1.CallEchoService" in names and "grpc.health.v1.Health" in names, names)
        methods = [method.full_name for name in names for method in DescriptorPool(reflection).FindServiceByName(name).methods]
        check("v1alpha describes all that it lists", len(methods) >= len(names) + 2, methods)
        answers(to_a, to_b)
        refusals(to_b)
    too_late()


def health(name, client):
    own, standard = services.HealthServiceStub(client.channel), health_pb2_grpc.HealthStub(client.channel)
    ok = Outcome(lambda: own.Check(messages.HealthRequest(), timeout=5))
    check(f"{name} is healthy", ok.response and ok.response.status == "ok", ok)
    serving = Outcome(lambda: standard.Check(health_pb2.HealthCheckRequest(), timeout=5))
    check(f"{name} is SERVING by the standard service", serving.response and serving.response.status == 1, serving)


def answers(to_a, to_b):
    ok = to_b.ask("grüße")
    held = ok.response and ok.response.service_a.echo == "grüße" and ok.response.service_b == "ok"
    check("CallEcho answers", held, ok)
    empty = Outcome(lambda: to_a.echo(messages.EchoRequest(), timeout=5))
    check("Echo takes an empty message", empty.response is not None and empty.response.echo == "", empty)


def refusals(to_b):
    empty = to_b.ask("")
    Expected("INVALID_ARGUMENT", "MSG_REQUIRED", attempts=None, by=50).check("row 25, an empty message", empty)
    violations = empty.bad_request.field_violations if empty.bad_request else []
    check("row 25, BadRequest names the field", [v.field for v in violations] == ["msg"], list(violations))

    # B's own refusals come before any call to A: no attempts.
    large = Expected("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE", attempts=None, by=50)
    large.check("1 MiB", to_b.ask("x" * 1024 * 1024))
    unknown = Expected("UNIMPLEMENTED", "UNKNOWN_METHOD", attempts=None, by=50)
    unknown.check("an unknown method", to_b.raw("/echo.v1.CallEchoService/Nope", b""))
    garbage = to_b.raw("/echo.v1.CallEchoService/CallEcho", b"\x0a\xff")
    check("malformed protobuf is INTERNAL", garbage.code == "INTERNAL", garbage)


def too_late():
    """4 ms are less than the margin that B keeps. The caller's own clock may be the first to say so."""
    with hostile_peer("echo") as peer, service_b(peer.address) as b, caller(b.address) as client:
        late = [client.ask(timeout=0.004) for _ in range(20)]
        median = statistics.median(outcome.ms for outcome in late)
        in_time = median <= 5 + CALLER_MS and max(outcome.ms for outcome in late) <= 5 + EPSILON_MS
        held = {outcome.code for outcome in late} == {"DEADLINE_EXCEEDED"} and in_time
        check("row 27, 20 calls with less than the margin: DEADLINE_EXCEEDED", held, f"median {median:.1f} ms")
        told = {(outcome.reason, outcome.hop) for outcome in late}
        check("row 27, B's word for it, or none", told <= {("DEADLINE_EXCEEDED", "service-b"), ("", "")}, told)
        ok = client.ask()
        peer.line_with("called")
        check("row 27, A was not called", ok.code == "OK" and peer.count("called") == 1, f"{peer.count('called')} call, the next")
