"""The way from B to A, through a router that can forget it. Runs in B's network namespace, as root; see `.ci/netns`."""

import socket
import subprocess
import sys
import time

from .processes import running

A_NAMESPACE, ROUTER = sys.argv[3:5]
A, B = "10.201.1.2", "10.201.2.2"
# In A's net, and nobody there; and a net that the router has no way to.
ABSENT, NOWHERE = "10.201.1.99", "10.201.9.9"


def service_a(*flags, port=0):
    return running("service-a", "--listen", f"{A}:{port}", *flags, before=["ip", "netns", "exec", A_NAMESPACE])


def cut():
    """From now on the router drops every packet between A and B, and tells nobody."""
    for host in (A, B):
        route("add", host)


def heal():
    for host in (A, B):
        route("delete", host)


def route(do, host):
    subprocess.run(["ip", "-netns", ROUTER, "route", do, "blackhole", f"{host}/32"], check=True)


def connect(address, seconds):
    """What a bare TCP connect comes to: None, or the error; and in how many ms."""
    host, port = address.split(":")
    began = time.monotonic()
    try:
        socket.create_connection((host, int(port)), seconds).close()
        error = None
    except OSError as failed:
        error = failed
    return error, (time.monotonic() - began) * 1000
