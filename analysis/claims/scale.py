"""Whether a study is large enough to speak about a claim: the rule by which a claim is out of reach at this scale.

The paper's order of capacity is that of networks which saw hundreds of millions of images. A small study can be far
from that in two ways, and then its order is real but says nothing about the claim: with easy images all layouts are
good, and with few steps the order is that of how fast layouts begin to learn. So a claim may say when it can be judged
at all (`speaks` in claims.yaml). It is out of reach, instead of supported or contradicted, if

    best_between   the best name's mean is outside this range: above it, images are too easy to tell capacities apart;
                   below it, nobody has learned enough;
    all_above      some name's mean is not above this: it has hardly begun to learn, so its place is that of its speed;
    settled        over the last doubling of the images seen, a difference that the claim is about moved by more than
                   this: the order is still changing, whatever it is now. This needs runs that were evaluated at half of
                   their images (`trainer.eval_at`); of a name without one it is not looked at, and a note says so.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.claims.claim import Claim
from analysis.claims.ordering import names_of
from analysis.compare.finished import EVAL, metric_words
from analysis.compare.scaling import with_images_seen

OUT_OF_REACH = "out of reach"  # a verdict beside supported, contradicted and undecided
IMAGES = "images"  # the column of histories with the number of images seen
NEAR = 0.25  # an evaluation counts as one at half of the images if it is within this share of that number


def out_of_reach(claim: Claim, about: pd.DataFrame, histories: pd.DataFrame) -> str | None:
    """Return why the runs of a claim are no scale that can speak about it, or None if they are.

    Args:
        claim: with or without a rule; without one, every scale speaks.
        about: the complete runs that the claim is about, index `fingerprint`; columns `name` and the rule's metric.
        histories: one row per evaluation; columns `fingerprint`, `step`, `images`, `eval/accuracy`, if there are any.
    """
    rule = claim.speaks
    if rule is None or about.empty or rule.metric not in about:
        return None
    means = about.groupby("name")[rule.metric].mean().reindex(names_of(claim.relations)).dropna()
    if means.empty:
        return None
    best, worst, (low, high) = str(means.idxmax()), str(means.idxmin()), rule.best_between
    words = metric_words(rule.metric)
    told = f"the best, {best}, ends with a {words} of {means.max():.1%}"
    if means.max() > high:
        return f"{told}, above {high:.0%}: the images are too easy to tell capacities apart"
    if means.max() < low:
        return f"{told}, below {low:.0%}: nobody has learned enough to tell capacities apart"
    if means.min() <= rule.all_above:
        return (
            f"{worst} ends with a {words} of {means.min():.1%}, not above {rule.all_above:.0%}: it has hardly "
            "begun to learn, so the order is that of how fast layouts learn"
        )
    return None if rule.settled is None else _unsettled(claim, rule.settled, about, histories)


def unlooked(claim: Claim, about: pd.DataFrame, histories: pd.DataFrame) -> list[str]:
    """Say for which names `settled` was not looked at, since no run of theirs was evaluated near half of its images."""
    if claim.speaks is None or claim.speaks.settled is None or about.empty:
        return []
    changes = _changes(about, histories)
    blind = [name for name in names_of(claim.relations) if name in set(about["name"]) and name not in changes]
    if not blind:
        return []
    return [
        "whether the order is still changing was not looked at for "
        f"{', '.join(blind)}: no run was evaluated near half of its images (trainer.eval_at)"
    ]


def _unsettled(claim: Claim, most: float, about: pd.DataFrame, histories: pd.DataFrame) -> str | None:
    """Say which difference moved most over the last doubling of images, if it moved by more than `most`."""
    changes = _changes(about, histories)
    moved = {
        f"{one.left} - {one.right}": changes[one.left] - changes[one.right]
        for one in claim.relations
        if one.left in changes and one.right in changes
    }
    if not moved or max(map(abs, moved.values())) <= most:
        return None
    pair = max(moved, key=lambda pair: abs(moved[pair]))
    return (
        f"{pair} changed by {100 * moved[pair]:+.1f} points of held-out accuracy over the last doubling of the images "
        f"seen, more than {100 * most:g}: the order is still changing"
    )


def _changes(about: pd.DataFrame, histories: pd.DataFrame) -> Mapping[str, float]:
    """Return by how much each name's mean held-out accuracy grew over the last doubling of images."""
    rows = with_images_seen(histories.reindex(columns=["fingerprint", "step", IMAGES, EVAL]), about)
    grown: dict[str, list[float]] = {}
    for mark, curve in rows.dropna(subset=[IMAGES, EVAL]).groupby("fingerprint", observed=True):
        images, accuracy = curve[IMAGES].to_numpy(float), curve[EVAL].to_numpy(float)
        half, last = images.max() / 2, int(images.argmax())
        nearest = int(np.abs(images - half).argmin())
        if abs(images[nearest] - half) <= NEAR * half:
            grown.setdefault(about["name"][mark], []).append(accuracy[last] - accuracy[nearest])
    return {name: float(np.mean(several)) for name, several in grown.items()}
