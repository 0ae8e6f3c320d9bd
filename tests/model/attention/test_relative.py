"""Relative attention against eq. 3 in float64; equivariance; the bias that evaluation keeps is never out of date."""

import copy
import io

import pytest
import torch
from hypothesis import given, settings

from coatlab.model.attention.bias import MASKED
from coatlab.model.attention.post import PostAttention
from coatlab.model.attention.relative import RelativeAttention
from tests.model.attention.direct_attention import (
    GRIDS,
    HEADS,
    SEEDS,
    WIDTHS,
    Grid,
    assert_same,
    count_tables,
    counted_products,
    inputs,
    randomized,
    shifted_bias,
    softmax_attention,
)


@settings(max_examples=25)
@given(GRIDS, HEADS, WIDTHS, SEEDS)
def test_equals_the_equation(grid: Grid, heads: int, width: int, seed: int) -> None:
    attend = randomized(RelativeAttention(heads, width, grid, block=0), seed)
    qkv, table = inputs(heads, grid, width, seed), attend.bias.table
    assert_same(attend(*qkv), softmax_attention(*qkv, bias=shifted_bias(table, grid)), [*qkv, table])


@pytest.mark.parametrize("variant", [RelativeAttention, PostAttention])
def test_translation_equivariance_in_the_interior(variant: type[RelativeAttention]) -> None:
    """If the bias ends at shift 1, moving the input by one position moves the result by one, except at the border."""
    grid, far = (8, 9), MASKED if variant is RelativeAttention else 0.0
    attend = randomized(variant(2, 4, grid, block=0), 3)
    with torch.no_grad():
        middle = attend.bias.table[:, 6:9, 7:10].clone()
        attend.bias.table.fill_(far)
        attend.bias.table[:, 6:9, 7:10] = middle
        maps = [x.detach().unflatten(2, grid) for x in inputs(2, grid, 4, seed=5)]
        still = attend(*[x.flatten(2, 3) for x in maps]).unflatten(2, grid)
        moved = attend(*[x.roll((1, 1), (2, 3)).flatten(2, 3) for x in maps]).unflatten(2, grid)
    torch.testing.assert_close(moved.roll((-1, -1), (2, 3))[:, :, 1:6, 1:7], still[:, :, 1:6, 1:7])
    assert not torch.allclose(moved.roll((-1, -1), (2, 3))[:, :, 0], still[:, :, 0])


class TestTheBiasThatEvaluationKeeps:
    grid = (4, 5)

    def attend(self) -> RelativeAttention:
        return RelativeAttention(2, 4, self.grid, block=0).eval()

    def run(self, attend: RelativeAttention) -> torch.Tensor:
        with torch.no_grad():
            return attend(*[x.float() for x in inputs(2, self.grid, 4, seed=0)])

    def fresh(self, attend: RelativeAttention) -> torch.Tensor:
        """Compute with a bias that was just read."""
        twin = self.attend()
        twin.load_state_dict(attend.state_dict())
        with torch.enable_grad():
            return twin(*[x.float() for x in inputs(2, self.grid, 4, seed=0)]).detach()

    def test_it_is_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        attend, reads = self.attend(), []
        read = attend.bias.read
        attend.bias.read = lambda table: reads.append(1) or read(table)
        first, second = self.run(attend), self.run(attend)
        assert torch.equal(first, second)
        assert len(reads) == 1

    @pytest.mark.parametrize("way", ["in_place", "data", "load", "swap", "optimizer", "vector"])
    def test_it_is_never_out_of_date(self, way: str) -> None:
        attend = self.attend()
        before, table = self.run(attend), attend.bias.table
        new = torch.randn_like(table)
        if way == "in_place":
            with torch.no_grad():
                table.copy_(new)
        elif way == "data":
            table.data.copy_(new)  # as weight averaging swaps its weights: no version counter sees it
        elif way == "load":
            attend.load_state_dict({"bias.table": new})
        elif way == "swap":
            attend.bias.table = torch.nn.Parameter(new)
        elif way == "vector":
            torch.nn.utils.vector_to_parameters(new.flatten(), attend.parameters())
        else:
            table.grad = new
            torch.optim.SGD([table], lr=1.0).step()
        after = self.run(attend)
        assert not torch.allclose(before, after)
        torch.testing.assert_close(after, self.fresh(attend))

    def test_precision_and_device_moves_are_seen(self) -> None:
        attend = self.attend()
        self.run(attend)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            qkv = [x.bfloat16() for x in inputs(2, self.grid, 4, seed=0)]
            assert attend(*qkv).dtype == torch.bfloat16
            assert attend.double()(*[x.double() for x in qkv]).dtype == torch.float64

    def test_training_drops_it_and_gradients_flow_in_evaluation(self) -> None:
        attend = self.attend()
        self.run(attend)
        assert attend.bias._kept is not None
        attend(*[x.float() for x in inputs(2, self.grid, 4, seed=0)]).sum().backward()
        assert attend.bias.table.grad is not None
        attend.train()
        assert attend.bias._kept is None

    def test_what_inference_mode_kept_serves_no_grad(self) -> None:
        attend = self.attend()
        with torch.inference_mode():
            first = attend(*[x.float() for x in inputs(2, self.grid, 4, seed=0)])
        assert torch.equal(self.run(attend), first)

    def test_it_is_in_no_checkpoint_pickle_or_copy(self) -> None:
        attend = self.attend()
        self.run(attend)
        assert list(attend.state_dict()) == ["bias.table"]
        stored = io.BytesIO()
        torch.save(attend, stored)
        stored.seek(0)
        for twin in (torch.load(stored, weights_only=False), copy.deepcopy(attend)):
            assert twin.bias._kept is None
            torch.testing.assert_close(self.run(twin), self.run(attend))


def test_tables_and_cost() -> None:
    assert count_tables("relative") == (5, 0)
    assert counted_products("relative") == 2 * 36**2 * 32
