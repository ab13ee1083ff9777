"""Which graphics cards a worker may see: those its plan names, in that order, and no other."""

from collections.abc import Mapping, Sequence

_VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")
"""Source: CUDA C++ Programming Guide, "CUDA Environment Variables"; HIP's runtime takes the
first two, which must then agree; llama.cpp ggml/src/ggml-vulkan/ggml-vulkan.cpp."""


def environment(devices: Sequence[str]) -> Mapping[str, str]:
    """The variables that leave a process `gpu0`, `gpu1` ... of `devices` and hide the rest.

    A card that is only looked at costs some hundred megabytes of it, hence a model on the
    CPU sees none. PCI_BUS_ID: CUDA else counts from the fastest, and gpu0 of the plan
    (NVML's order) would be another card.
    """
    numbers = ",".join(device.removeprefix("gpu") for device in devices)
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} | dict.fromkeys(_VISIBLE, numbers)
