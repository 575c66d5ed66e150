"""One of two processes that normalise two and one frames together; ends badly if that is wrong."""

from __future__ import annotations

import os

import torch
from torch import nn

from wristseg.train.sync_norm import SharedStatisticsNorm


def compare(dtype: torch.dtype, *, atol: float) -> None:
    """Hold this process's part against a plain layer that sees all three frames."""
    part = slice(0, 2) if os.environ["RANK"] == "0" else slice(2, 3)
    generator = torch.Generator().manual_seed(1)
    maps, slopes = torch.randn(2, 3, 5, 7, 6, generator=generator, dtype=dtype)
    plain, shared = nn.BatchNorm2d(5).to(dtype), SharedStatisticsNorm(5).to(dtype)
    whole, own = (maps * 3 + 2).requires_grad_(), (maps[part] * 3 + 2).requires_grad_()
    expected, found = plain(whole), shared(own)
    expected.backward(slopes)
    found.backward(slopes[part])
    for parameter in shared.parameters():
        torch.distributed.all_reduce(parameter.grad)
    pairs = [(found, expected[part]), (own.grad, whole.grad[part])]
    pairs += [
        (b.grad, a.grad) for a, b in zip(plain.parameters(), shared.parameters(), strict=True)
    ]
    pairs += zip(shared.buffers(), plain.buffers(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=0, atol=atol)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    compare(torch.float64, atol=1e-12)
    compare(torch.float32, atol=2e-5)
    torch.distributed.destroy_process_group()
