"""A DDS domain that is looked for: nobody's, and then ours alone."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from demo import domain
from demo.domain import DOMAINS, free_domain, in_use
from sdepth.errors import SdepthError
from tests.conftest import ROOT


def test_two_at_once_get_two_domains_also_in_two_processes() -> None:
    code = "from demo.domain import free_domain\nwith free_domain() as d: print(d); input()"
    with (
        free_domain() as ours,
        free_domain() as second,
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "ros2_ws/src/sdepth"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as other,
    ):  # fmt: skip
        assert other.stdout
        theirs = int(other.stdout.readline())
        other.communicate("\n")
        assert len({ours, second, theirs}) == 3


def test_a_domain_is_free_again_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    with free_domain() as number:
        pass
    monkeypatch.setattr(domain, "DOMAINS", range(number, number + 1))
    with free_domain() as again:
        assert again == number
        with pytest.raises(SdepthError, match="all DDS domains"):
            free_domain().__enter__()


@pytest.mark.parametrize("offset", [0, 12, 249])
def test_a_domain_whose_ports_somebody_listens_to_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    with free_domain() as number, socket.socket(type=socket.SOCK_DGRAM) as listening:
        listening.bind(("", 7400 + 250 * number + offset))
        assert in_use(number)
    monkeypatch.setattr(domain, "DOMAINS", [number, number + 1])
    with socket.socket(type=socket.SOCK_DGRAM) as listening:
        listening.bind(("", 7400 + 250 * number + offset))
        with free_domain() as other:
            assert other == number + 1


def test_the_ports_of_every_domain_are_those_nobody_is_given() -> None:
    assert 7400 + 250 * (DOMAINS[-1] + 1) <= 32768  # Linux gives out those from here on
