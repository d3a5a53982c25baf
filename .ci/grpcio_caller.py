"""A foreign caller: gRPC's own Python client against the pair, as any team would point theirs at it.

Usage: grpcio_caller.py <folder with service-a, service-b and lab> <folder with echo.proto>

Starts the release binaries on free ports, breaks A with real signals, puts hostile peers in its place, and checks what B
answers: the code, what the details say of who decided and why, and how long it took. Exits with 0 only if every check held.
"""

from callers import basics, checks, faults, limits, peers, signals


def main():
    for rows in (basics, signals, peers, faults, limits):
        rows.run()
    checks.end()


if __name__ == "__main__":
    main()
