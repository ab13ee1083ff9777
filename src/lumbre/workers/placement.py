"""Where a model's layers lie, in the words of llama.cpp."""

from collections.abc import Sequence

MOST_DEVICES = 128
"""Source: llama.cpp common/common.h, `tensor_split[128]`."""
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""Source: llama.cpp common/common.h, `LLM_FFN_EXPS_REGEX`, b11549."""


def split(layers: Sequence[int]) -> list[float]:
    """The parts of `tensor_split`: each card's layers, in the order they are filled.

    llama.cpp gives layer i of n to the first card whose share of the sum lies above i/n;
    whole numbers of layers come out as they went in.

    Source: llama.cpp src/llama-model.cpp, `load_tensors`, `get_layer_buft_list`.
    """
    return [float(count) for count in layers] + [0.0] * (MOST_DEVICES - len(layers))


def experts_on_cpu(layers: int) -> str:
    """The tensors that stay in main memory: the experts of the first `layers` layers."""
    return ",".join(rf"blk\.{layer}{_EXPERTS}=CPU" for layer in range(layers))
