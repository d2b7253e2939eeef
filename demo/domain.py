"""A DDS domain for oneself: who is in the same one hears all that the other says."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from sdepth.errors import SdepthError

DOMAINS = range(10, 101)
"""Above the numbers people choose, and below the ports that the system gives to anyone."""
_turn = itertools.count(os.getpid())


@contextlib.contextmanager
def free_domain() -> Iterator[int]:
    """Give a DDS domain that nobody on this machine is in, to the block alone.

    It is looked for, not drawn: whoever looks likewise holds a socket named after the domain,
    others are seen by the UDP ports that every participant listens to.

    Raises:
        SdepthError: all are taken.

    Source: DDSI-RTPS 2.5, 9.6.2.3: the ports of domain d are the 250 from 7400 + 250 d on.
    """
    first = next(_turn)
    for number in (DOMAINS[(first + i) % len(DOMAINS)] for i in range(len(DOMAINS))):
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0sdepth-dds-domain-{number}")  # gone with us, however we end
            except OSError:
                continue
            if not in_use(number):
                yield number
                return
    raise SdepthError(f"all DDS domains from {DOMAINS[0]} to {DOMAINS[-1]} are in use")


def domain_variables(domain: int) -> dict[str, str]:
    """Return the variables by which a process joins a domain, and no other machine does."""
    return {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


def in_use(domain: int) -> bool:
    """Return whether a process of this machine listens to a port of a DDS domain."""
    first = 7400 + 250 * domain
    return any(first <= port < first + 250 for port in _udp_ports())


def _udp_ports() -> Iterator[int]:
    """Yield the UDP ports somebody listens to."""
    for path in (Path("/proc/net/udp"), Path("/proc/net/udp6")):
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            yield int(line.split()[1].rpartition(":")[2], 16)
