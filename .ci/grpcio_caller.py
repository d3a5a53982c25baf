"""A foreign caller: gRPC's own Python client against the pair, as any team would point theirs at it.

Usage: grpcio_caller.py <folder with service-a and service-b> <folder with echo.proto>

Starts both services on free ports, breaks A with real signals, and checks what B answers: the code, who decided it, and
how long it took. Exits with 0 only if every check held.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

binaries, protos = map(os.path.abspath, sys.argv[1:3])
sys.path.insert(0, protos)
messages, services = grpc.protos_and_services("echo.proto")

failed = 0
passed = 0


def check(what, held, seen):
    global failed, passed
    passed, failed = passed + bool(held), failed + (not held)
    print(f"{'ok  ' if held else 'FAIL'} {what}: {seen}", flush=True)


@contextlib.contextmanager
def service(name, *flags):
    """The service as a process, and its address from the first line of its log."""
    process = subprocess.Popen([os.path.join(binaries, name), *flags], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip().split("listening=http://")[1]
        yield process, address
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Outcome:
    """What one call came to."""

    def __init__(self, call):
        began = time.monotonic()
        self.response, self.error = None, None
        try:
            self.response = call()
        except grpc.RpcError as error:
            self.error = error
        self.ms = (time.monotonic() - began) * 1000
        self.code = self.error.code() if self.error else grpc.StatusCode.OK
        self.info = error_details_pb2.ErrorInfo()
        status = rpc_status.from_call(self.error) if self.error else None
        for detail in status.details if status else []:
            detail.Unpack(self.info)
        self.reason, self.hop = self.info.reason, self.info.metadata.get("hop")

    def __str__(self):
        return f"{self.code.name} {self.reason} {self.hop or ''} in {self.ms:.1f} ms"


def main():
    with service("service-a", "--listen", "127.0.0.1:0") as (a, a_address):
        with service("service-b", "--listen", "127.0.0.1:0", "--service-a", a_address) as (_, b_address):
            with grpc.insecure_channel(a_address) as channel_a, grpc.insecure_channel(b_address) as channel_b:
                run(a, a_address, channel_a, channel_b)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


def run(a, a_address, channel_a, channel_b):
    echo = services.EchoServiceStub(channel_a).Echo
    call_echo = services.CallEchoServiceStub(channel_b).CallEcho

    def ask(msg="hello", timeout=5):
        return Outcome(lambda: call_echo(messages.CallEchoRequest(msg=msg), timeout=timeout))

    unavailable, deadline_exceeded = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED

    health(channel_a, channel_b)
    ok = ask("grüße")
    check("CallEcho answers", ok.response and ok.response.service_a.echo == "grüße" and ok.response.service_b == "ok", ok)
    empty = Outcome(lambda: echo(messages.EchoRequest(), timeout=5))
    check("Echo takes an empty message", empty.response is not None and empty.response.echo == "", empty)

    empty = ask("")
    check("an empty message is INVALID_ARGUMENT", empty.code is grpc.StatusCode.INVALID_ARGUMENT and empty.reason == "MSG_REQUIRED", empty)
    large = ask("x" * 1024 * 1024)
    check("1 MiB is RESOURCE_EXHAUSTED", large.code is grpc.StatusCode.RESOURCE_EXHAUSTED and large.reason == "MESSAGE_TOO_LARGE", large)
    nothing = Outcome(lambda: channel_b.unary_unary("/echo.v1.CallEchoService/Nope")(b"", timeout=5))
    check("an unknown method is UNIMPLEMENTED", nothing.code is grpc.StatusCode.UNIMPLEMENTED, nothing)
    garbage = Outcome(lambda: channel_b.unary_unary("/echo.v1.CallEchoService/CallEcho")(b"\x0a\xff", timeout=5))
    check("malformed protobuf is INTERNAL", garbage.code is grpc.StatusCode.INTERNAL, garbage)

    os.kill(a.pid, signal.SIGSTOP)
    os.waitpid(a.pid, os.WUNTRACED)  # a stop takes effect a little later, when the last thread has
    late = ask(timeout=0.3)
    check("A frozen, 300 ms: DEADLINE_EXCEEDED at 300 ± 50 ms", late.code is deadline_exceeded and 250 <= late.ms <= 350, late)
    lates = [ask(timeout=0.1).code for _ in range(20)]
    check("A frozen, 20 more: never CANCELLED or UNKNOWN", set(lates) == {deadline_exceeded}, {code.name for code in lates})
    capped = ask(timeout=5)
    check("A frozen, 5 s: UNAVAILABLE at B's cap of 2 s", capped.code is unavailable and capped.reason == "SERVICE_A_TIMEOUT" and 1950 <= capped.ms <= 2200, capped)
    os.kill(a.pid, signal.SIGCONT)
    thawed = ask()
    check("A thawed: OK", thawed.code is grpc.StatusCode.OK, thawed)

    a.kill()
    a.wait()
    down = [ask() for _ in range(20)]
    check("A killed: UNAVAILABLE, each in under 50 ms", all(d.code is unavailable and d.ms < 50 for d in down), max(down, key=lambda d: d.ms))
    check("A killed: B says that A is unreachable", down[-1].reason == "SERVICE_A_UNREACHABLE" and down[-1].hop == "service-b", down[-1])
    with service("service-a", "--listen", a_address):
        began = time.monotonic()
        while (back := ask()).code is not grpc.StatusCode.OK and time.monotonic() - began < 5:
            time.sleep(0.01)
        waited = (time.monotonic() - began) * 1000
        check("A back: OK within 1.3 s", back.code is grpc.StatusCode.OK and waited < 1400, f"{back}, {waited:.0f} ms after A listened")


def health(channel_a, channel_b):
    for name, channel in [("A", channel_a), ("B", channel_b)]:
        own = services.HealthServiceStub(channel).Check(messages.HealthRequest(), timeout=5)
        standard = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        check(f"{name} is healthy by both services", own.status == "ok" and standard.status == 1, own.status)
    names = sorted(ProtoReflectionDescriptorDatabase(channel_b).get_services())
    check("reflection lists the services", "echo.v1.CallEchoService" in names and "grpc.health.v1.Health" in names, names)


if __name__ == "__main__":
    main()
