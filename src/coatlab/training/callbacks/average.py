"""The exponential moving average of a network's weights, which is evaluated in their place (Table 10)."""

import itertools

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Exponential moving average of weights and statistics; the average is what is evaluated, tested and saved.

    It begins with the weights after the first step. Lightning's own EMA callback creates the average before the network
    moves to the device, so that on a GPU every step would copy all weights to the CPU; it also rounds constants.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Create the average on the device that trains."""
        if stage == "fit":
            self._average_model = Averaged(pl_module, trainer.strategy.root_device, self.decay)


class Averaged(AveragedModel):
    """torch's averaged model, whose steps do not wait for a GPU: they are counted on the CPU."""

    def __init__(self, model: nn.Module, device: torch.device, decay: float) -> None:
        super().__init__(model, device=device, use_buffers=True)
        self.n_averaged = torch.tensor(0)
        self._average = get_ema_multi_avg_fn(decay)

    def update_parameters(self, model: nn.Module) -> None:
        """Take over the weights at first, later move towards them."""
        now, average = (
            [x.detach() for x in itertools.chain(one.parameters(), one.buffers())] for one in (model, self.module)
        )
        if self.n_averaged == 0:
            torch._foreach_copy_(average, now)
        else:
            for dtype in {x.dtype for x in average}:  # as torch's function needs them
                of_it = [place for place, x in enumerate(average) if x.dtype == dtype]
                self._average([average[place] for place in of_it], [now[place] for place in of_it], self.n_averaged)
        self.n_averaged += 1
