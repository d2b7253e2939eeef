"""What a study is to show, each as a comparison of numbers that can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.experiments.results import Pair, Results

HOLDS, FAILS, NOT_RUN = "holds", "does not hold", "not run"

Check = Callable[[Results], "Verdict"]


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, and the numbers that say so."""

    verdict: str
    numbers: str


@dataclass(frozen=True)
class Claim:
    """A row of the list; ``id`` is that of the claim it is part of."""

    id: str
    text: str
    check: Check


def lower(key: str, name: str, other: str, other_key: str = "", factor: float = 1.0) -> Check:
    """Return a check that a number is below ``factor`` times another's in every seed."""

    def check(results: Results) -> Verdict:
        pairs = results.pairs(name, key, other, other_key)
        return judge(pairs, lambda p: p.mine < factor * p.other, "vs")

    return check


def within(key: str, name: str, low: float, high: float) -> Check:
    """Return a check that a number lies between two limits in every seed."""

    def check(results: Results) -> Verdict:
        pairs = [Pair(s, v, v) for s, v in results.values(name, key).items()]
        return judge(pairs, lambda p: low <= p.mine <= high, "")

    return check


def judge(pairs: list[Pair], fine: Callable[[Pair], bool], between: str) -> Verdict:
    """Return the verdict: it holds if it does in every seed there is."""
    if not pairs:
        return Verdict(NOT_RUN, "")
    good = sum(fine(p) for p in pairs)
    shown = (
        f"{p.mine:.3f} {between} {p.other:.3f}" if between else f"{p.mine:.3f}" for p in pairs
    )
    numbers = f"{', '.join(shown)} ({good} of {len(pairs)} seeds)"
    return Verdict(HOLDS if good == len(pairs) else FAILS, numbers)


def same_networks(name: str, other: str) -> Check:
    """Return a check that depth and pose networks have the same tensors, by name and shape."""

    def check(results: Results) -> Verdict:
        mine, others = results.networks.get(name, {}), results.networks.get(other, {})
        both = [(mine[s], others[s]) for s in mine if s in others]
        if not both:
            return Verdict(NOT_RUN, "")
        counts = " and ".join(said.split(",")[0].removesuffix(" tensors") for said in both[0])
        return Verdict(HOLDS if all(a == b for a, b in both) else FAILS, f"{counts} tensors")

    return check
