"""What the study of refinement is to show."""

from __future__ import annotations

from training.evaluate.drive_motion import INITIAL, INTENSITY, REFINED, STRAIGHT
from training.experiments.claims import Claim, lower, same_networks, within
from training.experiments.sa4depth.configurations import BEST, LITE

_ABS_REL, _ONE_SCALE = "depth.median.abs_rel", "depth.one_scale.abs_rel"
_RHO, _LOG_RHO, _RHO_SPREAD = (
    f"alignment.{{}}.{name}" for name in ("median_rho", "mean_abs_log_rho", "rho_spread")
)
_ATE, _ATE_ONE = "odometry.{}.ate_m", "odometry.{}.ate_one_scale_m"
_DRIFT = "odometry.{}.t_err_percent"
_SHORT = f"{BEST}-short"
_R18 = (f"{BEST}-resnet18", "base-resnet18")


def _of(key: str, kind: str = INITIAL) -> str:
    return key.format(kind)


_OF_ANY_NETWORK = (
    Claim(
        "S3", f"median rho of {BEST}'s pose network lies in 0.95 to 1.05",
        within(_of(_RHO), BEST, 0.95, 1.05),
    ),
    Claim(
        "S3", f"median rho of {BEST}'s refined motion lies in 0.95 to 1.05",
        within(_of(_RHO, REFINED), BEST, 0.95, 1.05),
    ),
    Claim(
        "S3", f"rho of {BEST}'s pose network spreads at most half as much as the baseline's",
        lower(_of(_RHO_SPREAD), BEST, "base", factor=0.5),
    ),
    Claim(
        "S3", f"rho of {BEST}'s refined motion spreads at most half as much as the baseline's",
        lower(_of(_RHO_SPREAD, REFINED), BEST, "base", _of(_RHO_SPREAD), 0.5),
    ),
    Claim(
        "S3", f"abs log rho of {BEST}'s pose network is lower than the baseline's",
        lower(_of(_LOG_RHO), BEST, "base"),
    ),
    Claim("S4", "depth scale spreads less over all images",
          lower("depth_scale.spread", BEST, "base")),
    Claim("S4", "depth scale spreads less across drives",
          lower("depth_scale.across", BEST, "base")),
    Claim("S5", "AbsRel is lower (median scaled)", lower(_ABS_REL, BEST, "base")),
    Claim("S5", "AbsRel is lower (one scale for all images)", lower(_ONE_SCALE, BEST, "base")),
    Claim("S5", "RMSE is lower (median scaled)", lower("depth.median.rmse", BEST, "base")),
    *(
        Claim(id, f"D in C's place: {text}", lower(key, name, other, other_key, factor))
        for id, text, key, name, other, other_key, factor in (
            ("S3", "rho of the pose network spreads at most half as much as the baseline's",
             _of(_RHO_SPREAD), "D", "base", "", 0.5),
            ("S3", "rho of the refined motion spreads at most half as much",
             _of(_RHO_SPREAD, REFINED), "D", "base", _of(_RHO_SPREAD), 0.5),
            ("S4", "depth scale spreads less across drives",
             "depth_scale.across", "D", "base", "", 1.0),
            ("S5", "AbsRel is lower (median scaled)", _ABS_REL, "D", "base", "", 1.0),
            ("S5", "AbsRel is lower (one scale)", _ONE_SCALE, "D", "base", "", 1.0),
            ("S7", "refined motion: lower ATE than the baseline's pose network's",
             _of(_ATE, REFINED), "D", "base", _of(_ATE), 1.0),
            ("S7", "refined motion: lower drift than the baseline's pose network's",
             _of(_DRIFT, REFINED), "D", "base", _of(_DRIFT), 1.0),
        )
    ),
    Claim("S6", "the networks that run are the same", same_networks(BEST, "base")),
    *(
        Claim("S7", f"{BEST}'s refined motion: lower {what} than {of}",
              lower(_of(key, REFINED), BEST, other, _of(key, kind)))
        for what, key in (("ATE", _ATE), ("ATE with one scale", _ATE_ONE), ("drift", _DRIFT))
        for of, other, kind in (
            ("its pose network's", BEST, INITIAL),
            ("the baseline's pose network's", "base", INITIAL),
            ("driving straight ahead", BEST, STRAIGHT),
        )
    ),
    *(
        Claim("S7", f"{BEST}'s pose network: lower {what} than the baseline's",
              lower(_of(key), BEST, "base"))
        for what, key in (("ATE", _ATE), ("ATE with one scale", _ATE_ONE), ("drift", _DRIFT))
    ),
    Claim("S8", f"learned features refine {BEST}'s motion to a lower ATE than intensity",
          lower(_of(_ATE, REFINED), BEST, BEST, _of(_ATE, INTENSITY))),
)  # fmt: skip


def _lite0(claim: Claim) -> Claim:
    """Return a claim about the lines of ``lite0``."""
    names = {f"{name}-{LITE}": name for name in ("base", "B", "C", "D")}
    return Claim(claim.id, f"{LITE}: {claim.text}", lambda found: claim.check(found.of(names)))


CLAIMS = (
    *_OF_ANY_NETWORK,
    *map(_lite0, _OF_ANY_NETWORK),
    *(
        Claim(id, f"{LITE}, {name}: {text}", lower(key, f"{name}-{LITE}", f"base-{LITE}"))
        for name in ("D-taught", "C-taught", "D-fixed")
        for id, text, key in (
            ("S3", "abs log rho of the pose network is lower than the baseline's", _of(_LOG_RHO)),
            ("S4", "depth scale spreads less across drives", "depth_scale.across"),
            ("S5", "AbsRel is lower (median scaled)", _ABS_REL),
        )
    ),
    *(
        Claim("S4", f"with the vehicle's speed, both: {what}",
              lower(key, f"{BEST}+speed", "base+speed"))
        for what, key in (
            ("depth scale spreads less across drives", "depth_scale.across"),
            ("AbsRel in metres is lower", "depth.metres.abs_rel"),
        )
    ),
    Claim("S4", "the vehicle's speed makes refined training's scale spread less across drives",
          lower("depth_scale.across", f"{BEST}+speed", BEST)),
    Claim("S5", "ResNet-18: AbsRel is lower (median scaled)", lower(_ABS_REL, *_R18)),
    Claim("S5", "ResNet-18: AbsRel is lower (one scale)", lower(_ONE_SCALE, *_R18)),
    Claim("S5", "ResNet-18, D in C's place: AbsRel is lower (median scaled)",
          lower(_ABS_REL, "D-resnet18", "base-resnet18")),
    Claim("S8", "learned features: lower AbsRel than intensity",
          lower(_ABS_REL, _SHORT, "intensity")),
    Claim("S8", "learned features: lower AbsRel than random ones",
          lower(_ABS_REL, _SHORT, "random")),
    Claim("S8", "intensity: lower AbsRel than no refinement",
          lower(_ABS_REL, "intensity", "base-short")),
    *(
        Claim("S9", f"a loss on the pose network aligns it: abs log rho of {n} lower than A's",
              lower(_of(_LOG_RHO), f"{n}-short", "A-short"))
        for n in ("B", "C", "D")
    ),
    *(
        Claim("S9", f"AbsRel lower than {what}", lower(_ABS_REL, _SHORT, other))
        for what, other in (
            ("with depth attached", "attach"),
            ("with unrolled gradients", "unroll"),
            ("with one iteration", "iterations-1"),
            ("with stride 4 alone", "stride-4"),
            ("with the encoder's features", "encoder"),
        )
    ),
    Claim("S5", "another pose network, D: AbsRel is lower (median scaled)",
          lower(_ABS_REL, "D-lightpose", "base-lightpose")),
    Claim("S7", "another pose network, D's refined motion: lower ATE than its pose network's",
          lower(_of(_ATE, REFINED), "D-lightpose", "D-lightpose", _of(_ATE))),
    Claim("S10", "AbsRel lower than with geometry consistency", lower(_ABS_REL, BEST, "GC")),
    Claim("S10", "AbsRel (one scale) lower than with geometry consistency",
          lower(_ONE_SCALE, BEST, "GC")),
    Claim("S10", "abs log rho of the pose network lower than with geometry consistency",
          lower(_of(_LOG_RHO), BEST, "GC")),
    Claim("S10", "refinement helps geometry consistency too (AbsRel)",
          lower(_ABS_REL, f"{BEST}+GC", "GC")),
)  # fmt: skip
