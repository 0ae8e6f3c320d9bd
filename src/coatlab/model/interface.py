"""What people who know timm expect of a network, under timm's names.

`forward_features`, `forward_head`, `num_features`, `num_classes`, `get_classifier`, `reset_classifier`,
`set_grad_checkpointing`. timm's weights go in by `load_timm_state_dict` and come out by `timm_state_dict`.

B batch, C channels, H rows, W columns.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from coatlab.errors import InputError
from coatlab.model.layout import Blueprint
from coatlab.model.stage import Stage
from coatlab.model.timm_weights import from_timm, to_timm


class TimmInterface(nn.Module):
    """The part of a network that is called as timm's are; `Network` has the rest."""

    stem: nn.Module
    stages: nn.ModuleList
    head: nn.Sequential
    plan: Blueprint

    def features(self, x_BCHW: Tensor) -> list[Tensor]:
        """Return the feature maps after S1, S2, ..."""
        raise NotImplementedError

    @property
    def num_features(self) -> int:
        """Return the width of the pooled features, which is that of the last stage."""
        return self.plan.width

    @property
    def num_classes(self) -> int:
        """Return how many logits there are; 0: there is no classifier."""
        classifier = self.get_classifier()
        return int(classifier.out_features) if isinstance(classifier, nn.Linear) else 0

    def get_classifier(self) -> nn.Module:
        """Return the last layer, or an identity where there is none."""
        # norm, [dense, tanh], [classifier]: an even number of layers ends with a classifier
        return self.head[-1] if len(self.head) % 2 == 0 else nn.Identity()

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a new one, initialized as at first; 0: leave it out, and return features."""
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 0:
            raise InputError(f"num_classes={num_classes!r} is not valid; it must be a whole number of at least 0")
        if self.num_classes:
            del self.head[-1]
        if num_classes:
            like = next(self.head.parameters())
            classifier = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
            nn.init.xavier_uniform_(classifier.weight)
            nn.init.zeros_(classifier.bias)
            self.head.append(classifier.train(self.training))

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """Return the map of the last stage, (B, num_features, rows, columns), which is not pooled."""
        return self.features(x_BCHW)[-1]

    def forward_head(self, x_BCHW: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool a map of the last stage and return logits (B, classes); with `pre_logits` the features before them."""
        layers = self.head[:-1] if pre_logits and self.num_classes else self.head
        return layers(x_BCHW.mean((2, 3)))

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute activations again in the backward pass, to save memory (stage.py). Gradients are the same."""
        for stage in self.stages:
            assert isinstance(stage, Stage)
            stage.checkpointing = enable

    def timm_state_dict(self) -> dict[str, Tensor]:
        """Return the weights under timm's names, for `load_state_dict` of its `coatnet_N`.

        Raises:
            InputError: a weight has no counterpart there.
        """
        return to_timm(self, self.plan.head_size)

    def load_timm_state_dict(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the `state_dict` of one of timm's `coatnet_N`; tables of another resolution are resized.

        With `downsample="depthwise_conv", pool="average"` the network then computes what timm's does.

        Raises:
            InputError: they are not the weights of such a network of this size.
        """
        self.load_state_dict(from_timm(self, weights, self.plan.head_size))
