"""Times work on a device: synchronised, warmed up, repeated; every sample is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished all work it was given."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def wall_seconds(run: Callable[[], object], device: torch.device, *, warmup: int, repeats: int) -> list[float]:
    """Seconds of each of `repeats` runs on the host's clock, the device idle before and after; `warmup` runs go first."""
    for _ in range(warmup):
        run()
    samples = []
    for _ in range(repeats):
        synchronise(device)
        start = time.perf_counter()
        run()
        synchronise(device)
        samples.append(time.perf_counter() - start)
    return samples


def device_seconds(run: Callable[[], object], device: torch.device, *, warmup: int, repeats: int) -> list[float]:
    """Seconds of each run by the device's own events on CUDA; by the host's clock elsewhere."""
    if device.type != "cuda":
        return wall_seconds(run, device, warmup=warmup, repeats=repeats)
    import torch

    for _ in range(warmup):
        run()
    samples = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize(device)
        samples.append(begin.elapsed_time(end) / 1000)
    return samples


def captured(run: Callable[[], object], device: torch.device) -> Callable[[], Any]:
    """`run` as one CUDA graph, so that its replay costs the host a single launch; `run` itself without CUDA.

    `run` may not wait for the device and must read and write the same tensors each time.
    """
    if device.type != "cuda":
        return run
    import torch

    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(3):  # handles and workspaces are made before the capture
            run()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
