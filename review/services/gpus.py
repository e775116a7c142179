"""The accelerators of this machine, asked of the driver: no torch, no CUDA context, no memory of theirs."""

import os

import pynvml


def gpus() -> list[dict[str, object]]:
    """Name and memory of each that a run started here could use; empty where there is none or no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        return [_facts(handle) for number, handle in enumerate(handles) if _is_visible(number, handle)]
    except pynvml.NVMLError as error:
        return [{"name": f"? ({error})", "used_bytes": None, "total_bytes": None}]
    finally:
        pynvml.nvmlShutdown()


def _facts(handle: object) -> dict[str, object]:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return {"name": name, "used_bytes": int(memory.used), "total_bytes": int(memory.total)}


def _is_visible(number: int, handle: object) -> bool:
    """Whether CUDA_VISIBLE_DEVICES, by number or by UUID, leaves it to this worker."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return True
    names = {name.strip() for name in allowed.split(",")}
    uuid = pynvml.nvmlDeviceGetUUID(handle)
    return str(number) in names or any(name and uuid.startswith(name) for name in names if "-" in name)
