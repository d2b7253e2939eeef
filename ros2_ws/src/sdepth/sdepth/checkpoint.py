"""Self-describing weights: NAME.safetensors with its card NAME.json; never pickle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sdepth.alignment.refiner import Refiner, fixed_refiner
from sdepth.card import FOREIGN, FORMAT, Card, ForeignCard
from sdepth.config import from_dict, to_dict
from sdepth.errors import CheckpointError, ConfigError
from sdepth.files import atomic, is_pickle, sha256, write_json
from sdepth.models.depth_net import DEPTH_ARCHITECTURES, DepthNet
from sdepth.models.pose_net import POSE_ARCHITECTURES, MotionNet, make_pose_net


def bundled(domain: str) -> Path:
    """Return the path of the weights that ship, ``day`` or ``night``."""
    return Path(__file__).parent / "weights" / f"{domain}.safetensors"


def save(
    path: Path,
    depth: nn.Module,
    pose: nn.Module | None,
    card: Card,
    half: bool = True,
    refiner: nn.Module | None = None,
) -> None:
    """Write both networks to ``path`` (.safetensors) and the card beside it, atomically.

    Args:
        path: ends in .safetensors.
        depth: the depth network.
        pose: the pose network, or None.
        card: its ``sha256`` is filled in here.
        refiner: the pose refinement's features and damping, or None.
        half: store 16-bit floats: half the size, depth within 0.1 %.
    """
    tensors = {f"depth.{k}": v for k, v in depth.state_dict().items()}
    if pose is not None:
        tensors |= {f"pose.{k}": v for k, v in pose.state_dict().items()}
    if refiner is not None:
        tensors |= {f"refiner.{k}": v for k, v in refiner.state_dict().items()}
    if half:
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    write_tensors(path, tensors)
    write_card(path, replace(card, sha256=sha256(path)))


def write_card(path: Path, card: Card) -> None:
    """Write the card beside the weights at ``path``."""
    write_json(path.with_suffix(".json"), to_dict(card), 2)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors to ``path`` so that a crash leaves the old file or the new, never half."""
    whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    with atomic(path) as partial:
        save_file(whole, partial)
        partial.chmod(0o644)  # safetensors makes files for their owner alone


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file.

    Raises:
        CheckpointError: missing, damaged, or another kind of file (such as a pickle).
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; give a .safetensors file")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as err:
        kind = "a pickle (.pth)" if is_pickle(path) else "damaged"
        raise CheckpointError(
            f"{path}: {kind}, expected safetensors ({err}); "
            "copy it again, or export it with python -m training.weights.export"
        ) from err


def read_card(path: Path) -> Card:
    """Return the card beside the weights at ``path``.

    Raises:
        CheckpointError: missing, not a card, another format, or not the card of these weights.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; give a .safetensors file")
    card_path = path.with_suffix(".json")
    kind = ForeignCard if path.suffix == FOREIGN else Card
    try:
        card = from_dict(kind, json.loads(card_path.read_text()), card_path.name)
    except FileNotFoundError as err:
        way = "python -m training.weights.import_network makes it" if kind is ForeignCard else ""
        raise CheckpointError(
            f"{card_path}: missing; {way or f'copy it beside {path.name}'}"
        ) from err
    except (json.JSONDecodeError, UnicodeDecodeError, ConfigError) as err:
        raise CheckpointError(f"{card_path}: not a card of this version ({err})") from err
    if card.format != FORMAT:
        raise CheckpointError(
            f"{card_path}: format {card.format}, this version reads {FORMAT}; "
            "export it again with python -m training.weights.export"
        )
    ours = not isinstance(card, ForeignCard)
    for name, known in (
        (card.depth_architecture, [*DEPTH_ARCHITECTURES]),
        (card.pose_architecture, [*POSE_ARCHITECTURES, ""]),
    ):
        if ours and name not in known:
            raise CheckpointError(f"{card_path}: architecture {name!r}, known {known}")
    return card


def check_weights(path: Path, card: Card) -> None:
    """Hash the weights: those that were made of them once, and kept, would not notice a change.

    Raises:
        CheckpointError: missing, damaged, or not the weights of the card.
    """
    if path.is_file() and sha256(path) == card.sha256:
        return
    if not isinstance(card, ForeignCard):
        read_tensors(path)  # says more of what is no checkpoint at all
    raise CheckpointError(f"{path}: not the weights of its card {path.stem}.json; copy both again")


def load_depth(path: Path, device: str | torch.device = "cpu") -> tuple[DepthNet, Card]:
    """Return the depth network of a checkpoint, ready for inference, and its card.

    Raises:
        CheckpointError: the weights or the card are missing, damaged or do not belong together.
    """
    card = read_card(path)
    if isinstance(card, ForeignCard):
        raise CheckpointError(
            f"{path}: a network of others, which engines alone run; give a .safetensors file"
        )
    net = DepthNet(card.depth_architecture)
    _fill(net, "depth.", path, card)
    return net.to(device).eval(), card


def load_pose(path: Path, device: str | torch.device = "cpu") -> tuple[MotionNet, Card]:
    """Return the pose network of a checkpoint, ready for inference, and its card.

    Raises:
        CheckpointError: the weights or the card are missing, damaged or do not belong together, or
            there is no pose network.
    """
    card = read_card(path)
    if not card.pose_architecture:
        raise CheckpointError(f"{path}: holds no pose network, depth alone; give other weights")
    net = make_pose_net(card.pose_architecture, card.pose_output_scale)
    _fill(net, "pose.", path, card)
    return net.to(device).eval(), card


def load_refiner(path: Path, device: str | torch.device = "cpu") -> tuple[Refiner, Card]:
    """Return the pose refinement of a checkpoint, ready for inference, and its card.

    Where the checkpoint has none, features that need no training take its place.

    Raises:
        CheckpointError: the weights or the card are missing, damaged or do not belong together.
    """
    card = read_card(path)
    if not card.features:
        return fixed_refiner().to(device), card
    encoder = load_depth(path)[0].encoder if card.features == "encoder" else None
    try:
        refiner = Refiner(card.features, card.feature_strides, encoder=encoder)
    except ConfigError as err:
        raise CheckpointError(f"{path.with_suffix('.json')}: {err}") from err
    _fill(refiner, "refiner.", path, card)
    refiner = refiner.to(device).eval()
    return refiner.to(memory_format=torch.channels_last), card  # type: ignore[call-overload]


def _fill(net: nn.Module, prefix: str, path: Path, card: Card) -> None:
    """Load the tensors named ``prefix`` + the network's names."""
    check_weights(path, card)
    mine = {
        k.removeprefix(prefix): v for k, v in read_tensors(path).items() if k.startswith(prefix)
    }
    try:
        net.load_state_dict(mine)
    except RuntimeError as err:
        raise CheckpointError(
            f"{path}: does not hold the networks its card names ({err})"
        ) from err
