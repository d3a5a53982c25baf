"""Who gets B's calls while the addresses of A's name change: row 11 of the failure contract, and what docs/operating.md says.

Usage: dns_caller.py <folder with service-a, service-b and lab> <folder with echo.proto>

`.ci/dns` starts it where /etc/hosts, nsswitch.conf and resolv.conf are files of its own.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections import Counter

import grpc

from callers import checks
from callers.arguments import binaries, messages
from callers.caller import asked, caller
from callers.checks import EPSILON_MS
from callers.processes import running, within
from callers.table import Table, failed

NAME = "service-a.test"
# How often a name is looked up: where nothing fails, and after something has failed.
NOW_AND_THEN_MS, SOON_MS = 30_000, 1000
# A name without an address is looked up again after a pause of B's backoff: 1 s, 20 % more at the most.
AGAIN_MS = 1200


def main():
    table = Table()
    with contextlib.ExitStack() as stack:
        replicas = Replicas(stack)
        unknown(table, replicas)
        comings_and_goings(table, replicas)
    with contextlib.ExitStack() as stack:
        both_families(table, Replicas(stack))
    with contextlib.ExitStack() as stack:
        first_address_is_a_black_hole(table, Replicas(stack))
    nobody_answers_for_the_name(table)
    checks.end()


class Replicas:
    """As, each on an address of its own and all on one port. The number is the instance's name, and the address's last."""

    def __init__(self, stack):
        self.stack, self.port, self.all = stack, 0, {}

    def start(self, *numbers):
        for number in numbers:
            listen = f"{address(number)}:{self.port}"
            flags = ["--listen", listen, "--instance", str(number), "--fault-injection"]
            self.all[number] = self.stack.enter_context(running("service-a", *flags))
            self.port = self.all[number].address.rsplit(":", 1)[1]

    def kill(self, number):
        self.all[number].kill()

    @property
    def target(self):
        return f"http://{NAME}:{self.port}"


def service_b(a, *flags, workers=1):
    """B with its retries, and one worker, whose turns can be counted."""
    return running("service-b", "--listen", "127.0.0.1:0", "--service-a", a, "--workers", str(workers), *flags)


def address(number):
    return "[::1]" if number == 1 else f"127.0.0.{number}"


def name_has(*numbers):
    """These are the addresses of A's name from now on. One write, so that nobody reads the half of it."""
    with open("/etc/hosts", "r+") as hosts:
        hosts.write("".join(f"{address(number).strip('[]')} {NAME}\n" for number in numbers))
        hosts.truncate()


def who(client, behaviour=None):
    """Which A has answered; or the code of a call that failed."""
    try:
        request = messages.CallEchoRequest(msg="hello")
        _, call = client.call_echo.with_call(request, timeout=5, metadata=asked(behaviour))
        return served_by(call)
    except grpc.RpcError as error:
        return error.code().name


def served_by(call):
    served = dict(call.initial_metadata())["served-by"].rsplit("service-a/", 1)[1]
    return int(served)


def spread(client, calls=40):
    return Counter(who(client) for _ in range(calls))


def shared_by(table, case, client, *numbers):
    """One call after the other goes to each in turn."""
    spread_over = spread(client)
    fair = 40 / len(numbers)
    held = set(spread_over) == set(numbers) and all(abs(calls - fair) <= 4 for calls in spread_over.values())
    told = ", ".join(f"{calls} to {number}" for number, calls in sorted(spread_over.items(), key=str))
    table.row("–", case, f"40 calls, shared by {', '.join(map(str, numbers))}", told, held, 0)


def found(table, case, client, number, by_ms):
    """The replica gets calls by then, and no call fails meanwhile."""
    seen = Counter()

    def answered():
        seen.update([answer := who(client)])
        time.sleep(0.01)
        return answer == number

    ms = within(by_ms / 1000 + 5, answered)
    errors = {answer: calls for answer, calls in seen.items() if isinstance(answer, str)}
    held = ms is not None and ms <= by_ms + EPSILON_MS and not errors
    table.row("–", case, f"a call to {number} by {by_ms} ms, none fails", f"{sum(seen.values())} calls, failed: {errors or 0}", held, ms or 0)


def unknown(table, replicas):
    """The name has no address when B starts, and one later."""
    replicas.start(2)
    with service_b(replicas.target) as b, caller(b.address) as client:
        unresolved = failed("SERVICE_A_UNRESOLVED", "name not found")
        table.check("11", "the name has no address", unresolved, client.ask(), 0, 50)
        name_has(2)
        ms = within(5, lambda: who(client) == 2)
        table.row("11", "then it has one", f"OK by {AGAIN_MS} ms", "OK" if ms else "no OK", ms and ms <= AGAIN_MS + EPSILON_MS, ms or 0)


def comings_and_goings(table, replicas):
    replicas.start(3, 4, 5, 6, 7)
    name_has(2, 3)
    with service_b(replicas.target, "--service-a-timeout", "30s") as b, caller(b.address) as client:
        within(5, lambda: len(spread(client, 4)) == 2)
        shared_by(table, "two addresses", client, 2, 3)
        name_has(2, 3, 4)
        found(table, "a third is added, nothing fails", client, 4, NOW_AND_THEN_MS)
        name_has(3, 4, 5, 6)
        replicas.kill(2)
        found(table, "one is killed, and there is another instead", client, 5, SOON_MS)
        removed(table, client, replicas)
        nothing_left(table, client, replicas)


def removed(table, client, replicas):
    """3 is taken from the name while it has a call. That 4 is killed makes B look."""
    slow = "hostname=3 sleep-3"
    calls = [client.call_echo.future(messages.CallEchoRequest(msg="hello"), timeout=20, metadata=asked(slow)) for _ in range(8)]
    # The others answer at once; by then 3 has its share.
    within(2, lambda: sum(call.done() for call in calls) >= 4)
    name_has(5, 6)
    replicas.kill(4)
    began = time.monotonic()
    answers = Counter(answer(call) for call in calls)
    ms = (time.monotonic() - began) * 1000
    table.row("–", "3 is removed while it has calls", "they finish", f"{answers[3]} OK from 3", answers[3] > 0 and all(isinstance(by, int) for by in answers), ms)
    shared_by(table, "then", client, 5, 6)


def answer(call):
    try:
        call.result()
        return served_by(call)
    except grpc.RpcError as error:
        return error.code().name


def nothing_left(table, client, replicas):
    """The name loses its last address: what B knows is better than nothing."""
    name_has()
    replicas.kill(6)
    seen, until = Counter(), time.monotonic() + 3
    while time.monotonic() < until:
        seen.update([who(client)])
        time.sleep(0.01)
    table.row("11", "the name has no address any more, for 3 s", "5 goes on", ", ".join(f"{calls} by {who}" for who, calls in seen.items()), set(seen) == {5}, 3000)
    name_has(5, 7)
    found(table, "it has addresses again", client, 7, AGAIN_MS)


def both_families(table, replicas):
    replicas.start(1, 2)
    name_has(1, 2)
    with service_b(replicas.target) as b, caller(b.address) as client:
        within(5, lambda: len(spread(client, 4)) == 2)
        shared_by(table, "an address of IPv6 (1) and one of IPv4", client, 1, 2)


def test_client(*flags):
    """Its exit code, what it printed, and how many milliseconds it took."""
    began = time.monotonic()
    client = subprocess.run([os.path.join(binaries, "lab"), "test-client", *flags], capture_output=True, text=True)
    return client.returncode, (client.stdout + client.stderr).strip(), (time.monotonic() - began) * 1000


def first_address_is_a_black_hole(table, replicas):
    """The client makes one connection, to whichever address answers first (RFC 8305)."""
    replicas.start(3)
    black_hole = running("lab", "peer", "vanish", "--listen", f"{address(2)}:{replicas.port}")
    replicas.stack.enter_context(black_hole)
    name_has(2, 3)
    code, told, ms = test_client("echo", "hello", "--service-a", replicas.target)
    table.row("–", "echo, the first of two addresses does not answer", "OK within 1 s", told, code == 0 and ms < 1000, ms)
    load = ["load", "--target", "echo", "--requests", "100", "--warmup", "0s", "--fail-if", "errors>0"]
    code, told, ms = test_client(*load, "--service-a", replicas.target)
    table.row("–", "load, the same", "100 OK within 1 s", told.splitlines()[3], code == 0 and ms < 1000, ms)
    name_has(2)
    code, told, ms = test_client("echo", "hello", "--service-a", replicas.target, "--timeout", "1s")
    connecting = "within the deadline (connect timeout)" in told
    table.row("–", "echo, there is no other", "68, while connecting, 1 s", told, code == 68 and connecting, ms)


def nobody_answers_for_the_name(table):
    """A name server takes each question and answers none: B ends as soon as ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.99", 53))
        silent.settimeout(10)
        with open("/etc/resolv.conf", "w") as resolv, open("/etc/nsswitch.conf", "w") as nsswitch:
            resolv.write("nameserver 127.0.0.99\noptions timeout:20 attempts:3\n")
            nsswitch.write("hosts: dns\n")
        with service_b("http://hangs.test:1", workers=2) as b, caller(b.address) as client:
            silent.recv(1024)
            failed_with = failed("SERVICE_A_UNRESOLVED", "name not found")
            table.check("11", "a look-up has no end", failed_with, client.ask(), 0, 1000)
            # Over a few of B's tries.
            within(3, lambda: False)
            threads = resolvers(b.popen.pid)
            table.row("11", "3 s later", "one thread waits for it", f"{threads}", threads == 1, 3000)
            began = time.monotonic()
            b.terminate()
            code = b.exit_code(60)
            ms = (time.monotonic() - began) * 1000
            table.row("–", "SIGTERM meanwhile", "exit 0 within 250 ms", f"exit {code}", code == 0 and ms <= 250 + EPSILON_MS, ms)


def resolvers(pid):
    """Threads of that name."""
    names = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as comm:
            names.append(comm.read().strip())
    return names.count("resolver")


if __name__ == "__main__":
    main()
