"""Which graphics cards a worker may see: those its plan names, in that order, and no other."""

from collections.abc import Mapping, Sequence

_BY_UUID = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_VISIBLE = (*_BY_UUID, "GGML_VK_VISIBLE_DEVICES")
"""Source: CUDA C++ Programming Guide, "CUDA Environment Variables"; HIP's runtime takes the
first two, which must then agree; llama.cpp ggml/src/ggml-vulkan/ggml-vulkan.cpp."""


def environment(devices: Sequence[str], uuids: Sequence[str] = ()) -> Mapping[str, str]:
    """The variables that leave a process `gpu0`, `gpu1` ... of `devices` and hide the rest.

    A card that is only looked at costs some hundred megabytes of it, hence a model on the
    CPU sees none. PCI_BUS_ID: CUDA else counts from the fastest, and gpu0 of the plan
    (NVML's order) would be another card. Cards are named by their UUIDs where those are
    known: the plan counts only those it may use, and a number would mean another one.
    """
    numbers = ",".join(device.removeprefix("gpu") for device in devices)
    told = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} | dict.fromkeys(_VISIBLE, numbers)
    return told | dict.fromkeys(_BY_UUID, ",".join(uuids)) if uuids else told
