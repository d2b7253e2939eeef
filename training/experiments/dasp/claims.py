"""What the study of day priors is to show."""

from __future__ import annotations

from training.experiments.claims import Check, Claim, Verdict, judge, lower
from training.experiments.dasp.configurations import DASP, NETWORKS, VIDEO, of_network
from training.experiments.results import Pair, Results

ABS_REL = {
    region: f"night.{region}.abs_rel" for region in ("all", "textureless", "blurred", "moving")
}
BY_DAY, APART = "day.all.abs_rel", "inconsistency"
SHRUNK = "scale.night.median"
"""Truth over estimate: it grows where depth shrinks."""
_OF = {
    "all": "AbsRel",
    "textureless": "AbsRel without texture",
    "blurred": "AbsRel of blurred movers",
}


def gains_more(name: str, other: str, where: str, elsewhere: str = "all") -> Check:
    """Return a check that AbsRel falls by a larger share in one region than in another."""

    def check(results: Results) -> Verdict:
        here, there = (_falls(results, name, other, region) for region in (where, elsewhere))
        pairs = [Pair(s, here[s], there[s]) for s in here if s in there]
        return judge(pairs, lambda p: p.mine > max(p.other, 0), "vs")

    return check


def _falls(results: Results, name: str, other: str, region: str) -> dict[int, float]:
    """Return by which share AbsRel of a region is below another configuration's, per seed."""
    pairs = results.pairs(name, ABS_REL[region], other)
    return {p.seed: 1 - p.mine / p.other for p in pairs}


def close(key: str, name: str, other: str, share: float) -> Check:
    """Return a check that two numbers differ by a share of the second at most, in every seed."""

    def check(results: Results) -> Verdict:
        pairs = results.pairs(name, key, other)
        return judge(pairs, lambda p: abs(p.mine - p.other) <= share * p.other, "vs")

    return check


def _better(id: str, name: str, other: str, regions: tuple[str, ...] = ("all",)) -> list[Claim]:
    """Return that a configuration's errors at night are below another's."""
    return [
        Claim(id, f"{name}: {_OF[r]} at night is lower than {other}'s",
              lower(ABS_REL[r], name, other))
        for r in regions
    ]  # fmt: skip


_ANYWHERE = ("all", "textureless", "blurred")

_OF_ANY_NETWORK = (
    Claim("N1", "the day model errs at night half as much again as by day, or more",
          lower(BY_DAY, "day", "day", ABS_REL["all"], factor=1 / 1.5)),
    Claim("N1", "so does what self-supervision at night alone makes of it",
          lower(BY_DAY, "day", "night", ABS_REL["all"], factor=1 / 1.5)),
    *_better("N2", "patch", "night", _ANYWHERE),
    *_better("N2", "patch", "day"),
    *_better("N3", "clip", "patch", _ANYWHERE),
    *_better("N3", "clip-stlm", "clip-neither", ("all", "blurred")),
    *_better("N3", "clip-aslm", "clip-neither", ("all", "textureless")),
    *_better("N3", "clip", "clip-stlm"),
    *_better("N3", "clip", "clip-aslm"),
    Claim("N3", "the temporal module helps blurred movers more than the whole (share of AbsRel)",
          gains_more("clip-stlm", "clip-neither", "blurred")),
    Claim("N3", "the spatial module helps where there is no texture more than the whole",
          gains_more("clip-aslm", "clip-neither", "textureless")),
    *(c for other in ("central", "shifts", "plain") for c in _better("N3", "clip", other)),
    *_better("N4", "clip", "clip-shuffled", ("all", "blurred")),
    Claim("N4", "without the order of frames the temporal module gains nothing",
          lower(ABS_REL["all"], "clip-aslm", "clip-shuffled")),
    *_better("N5", DASP, "clip", _ANYWHERE),
    Claim("N5", f"{DASP}: points of neighbouring frames are nearer than clip's",
          lower(APART, DASP, "clip")),
    *_better("N5", "night+3D", "night"),
    Claim("N5", f"{DASP}: AbsRel at night is within 5 % of geometry consistency's",
          close(ABS_REL["all"], DASP, "clip+GC", 0.05)),
    Claim("N5", "without normalising, depth shrinks by a tenth or more",
          lower(SHRUNK, DASP, "clip+unnormalised", factor=1 / 1.1)),
    *_better("N5", DASP, "night", _ANYWHERE),
    *_better("N5", DASP, "patch", _ANYWHERE),
    *_better("N6", "night", "night-raw"),
    *_better("N6", "night", "night-no-mask"),
    *_better("N6", "night", "night-frame"),
    *_better("N7", f"{VIDEO}+refine", VIDEO, _ANYWHERE),
)  # fmt: skip


def _with(network: str, claim: Claim) -> Claim:
    """Return a claim about a network's lines."""
    return Claim(claim.id, f"{network}: {claim.text}",
                 lambda results: claim.check(of_network(results, network)))  # fmt: skip


CLAIMS = tuple(_with(network, claim) for claim in _OF_ANY_NETWORK for network in NETWORKS)
