"""gRPC's own Python client of A and B."""

import contextlib
import time

import grpc

from .arguments import messages, services
from .outcome import Outcome


class Caller:
    """One channel to one service, connected."""

    def __init__(self, channel):
        self.channel = channel
        self.call_echo = services.CallEchoServiceStub(channel).CallEcho
        self.echo = services.EchoServiceStub(channel).Echo

    def ask(self, msg="hello", timeout=5, behaviour=None):
        """B's CallEcho."""
        request, metadata = messages.CallEchoRequest(msg=msg), asked(behaviour)
        return Outcome(lambda: self.call_echo(request, timeout=timeout, metadata=metadata), timeout)

    def begin(self, timeout=5, behaviour=None):
        """The same, not waited for."""
        return Pending(self, timeout, behaviour)

    def raw(self, method, message, timeout=5):
        """Any bytes to any method."""
        return Outcome(lambda: self.channel.unary_unary(method)(message, timeout=timeout), timeout)


class Pending:
    """A call under way."""

    def __init__(self, client, timeout, behaviour):
        self.timeout, self.began = timeout, time.monotonic()
        request = messages.CallEchoRequest(msg="hello")
        self.future = client.call_echo.future(request, timeout=timeout, metadata=asked(behaviour))

    def cancel(self):
        self.future.cancel()

    def outcome(self):
        """What it comes to; `ms` is counted from now."""
        return Outcome(self.future.result, self.timeout, self.began)


def asked(behaviour):
    return [("rpc-behavior", behaviour)] if behaviour else []


@contextlib.contextmanager
def caller(address, seconds=10):
    """A caller of that address. Errors: nobody is there."""
    # A pool of its own: channels with the same target would share a connection, and so its backoff.
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        grpc.channel_ready_future(channel).result(seconds)
        yield Caller(channel)
