"""Every setting there is, with its default.

The fields below are the only list: the file, the environment, `lumbre config` and
docs/config.md are all read from it. Sizes may be written "12 GiB"; once inside they are
bytes. A value the program can find out by itself is 0 or "auto" here.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeVar

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.signals import TRIGGERS, TriggerName

_T = TypeVar("_T", int, float)


def bounded(default: _T, least: float, most: float | None = None) -> _T:
    """A number with the smallest and the largest value that make sense; others are refused."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Interface:
    """How lumbre speaks to the person."""

    language: Literal["auto", "en", "es", "ru"] = "auto"
    """auto: by the locale of the terminal."""


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A chat model's place in the household."""

    id: str = ""
    """Which model; empty: the manifest whose role says so."""
    context_length: int = bounded(4096, least=256)
    """Tokens of its window, never more than the model was trained for."""
    max_output_tokens: int = bounded(1024, least=1)
    temperature: float = bounded(0.7, least=0, most=2)
    top_p: float = bounded(0.9, least=0, most=1)


@dataclass(frozen=True, slots=True)
class Llm:
    """The chat models by role."""

    primary: ChatModel = field(default_factory=ChatModel)
    lightweight: ChatModel = field(default_factory=lambda: ChatModel(temperature=0.4))


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """The model that turns text into vectors."""

    id: str = ""
    """Which model; empty: the manifest with the role embedding."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embedding models."""

    main: EmbeddingModel = field(default_factory=EmbeddingModel)


@dataclass(frozen=True, slots=True)
class Memory:
    """What of the machine's memory models may take."""

    max_ram_gb: float = 0.0
    """Gigabytes for all models together; 0: what is available."""
    max_vram: tuple[str, ...] = ()
    """The same for cards, each with its size: "gpu0=6 GiB"; others: what is available."""
    max_concurrent_llms: int = bounded(0, least=0)
    """Chat models loaded at a time; 0: as many as fit."""
    count_remote: bool = False
    """Whether models that run elsewhere count among those."""
    reserve_bytes: int = 512 * 1024**2
    """Left to the system and other programs."""
    reserve_vram_bytes: int = 300 * 1024**2
    """Left on each card to the screen and other programs."""


@dataclass(frozen=True, slots=True)
class Use:
    """How often each role is asked, in requests an hour: what a plan makes fast first."""

    primary: float = bounded(20.0, least=0)
    secondary: float = bounded(2.0, least=0)
    lightweight: float = bounded(20.0, least=0)
    micro: float = bounded(20.0, least=0)
    optional_moe: float = bounded(1.0, least=0)
    embedding: float = bounded(60.0, least=0)
    rerank: float = bounded(20.0, least=0)
    stt: float = bounded(20.0, least=0)
    tts: float = bounded(20.0, least=0)
    vad: float = bounded(60.0, least=0)
    ocr: float = bounded(1.0, least=0)
    vision: float = bounded(2.0, least=0)
    classifier: float = bounded(20.0, least=0)
    router: float = bounded(20.0, least=0)


@dataclass(frozen=True, slots=True)
class Worker:
    """How engines run."""

    engine: str = "auto"
    """What runs GGUF models, by its name in `lumbre engines list`; auto: a build for the
    machine's cards where one is installed, else the built-in one."""
    prompt_threads: int = 0
    """Threads that read a prompt; 0: every core we may use."""
    generation_threads: int = 0
    """Threads that write an answer; 0: one, more slow each other down on busy cores."""
    load_mode: LoadMode = "mmap"
    """mmap shares the file with the system's cache, read keeps it to the process."""
    extra_buffers: bool = True
    """A second copy of some quants, faster to read prompts with."""
    cache_ram_mib: int = 0
    """Prompt cache of each engine beside its context, MiB."""
    kv_type: KvType = "f16"
    """How the context is kept: q8_0 takes half the memory."""
    start_timeout_s: float = bounded(180.0, least=1)
    """How long a model may take to give its first token."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Who stays loaded."""

    idle_s: float = 300.0
    """An on_demand model unloads after this long unused, unless its manifest says otherwise."""
    keep_while_fits: bool = True
    """Nothing idle is unloaded as long as all models asked for so far fit together and nobody
    waits; false: always after its time."""
    card_permits: int = bounded(1, least=0)
    """Models that compute on one card at a time, others wait for their turn; 0: no limit."""
    pinned: tuple[str, ...] = ()
    """Models that stay once they are loaded: neither for another nor unused are they unloaded.
    `lumbre pin` writes it."""
    saved_state_bytes: int = 2 * 1024**3
    """What may be kept on disk of conversations whose model was unloaded, so that it need not
    read them again; the least recently used go first. 0: nothing."""


@dataclass(frozen=True, slots=True)
class Strain:
    """How chat gives way while speech recognition is busy for long."""

    answer: Literal["lightweight", "narrow", "off"] = "lightweight"
    """lightweight: a lightweight model answers for the primary where one may run, else as narrow:
    the primary answers with a smaller context. off: nothing gives way."""
    busy_s: float = bounded(10.0, least=0)
    """Speech without a pause for this long begins it."""
    pause_s: float = bounded(1.0, least=0)
    """A shorter gap is no pause."""
    quiet_s: float = bounded(5.0, least=0)
    """Quiet for this long ends it."""
    most_s: float = bounded(300.0, least=0)
    """It ends after this long all the same, and begins anew only after quiet."""
    context_share: float = bounded(0.5, least=0.1, most=1)
    """Of the primary's context, meanwhile."""


@dataclass(frozen=True, slots=True)
class Residency:
    """When an on_demand model earns a resident place, and when it loses it again."""

    long_tokens: int = bounded(3072, least=1)
    """A request of more tokens is one of long context, as is each Reflection.LongContext."""
    long_share: float = bounded(0.15, least=0, most=1)
    """With more of them among all requests, a model with the capability long_context earns one."""
    persona_drop_share: float = bounded(0.05, least=0, most=1)
    """With the primary's adherence to its persona this far under its target, on hard tests, one
    with the capability reasoning does."""
    margin_share: float = bounded(0.03, least=0, most=1)
    """How far beyond these the place is lost again."""
    least_tasks: int = bounded(20, least=1)
    """With fewer requests no share is told."""
    half_life_s: float = bounded(86_400.0, least=1)
    """After this long a request counts half."""


@dataclass(frozen=True, slots=True)
class Latency:
    """When an optional model is left out for a while: optional_moe, and what is on_demand.

    Seconds from the moment a model has a request to the end of its answer, for 95 of 100
    answers; waiting and loading do not count. 0: no limit.
    """

    secondary_s: float = 0.0
    """For models of the role secondary."""
    lightweight_s: float = 0.0
    """For those of the role lightweight."""
    micro_s: float = 0.0
    """For those of the role micro."""
    optional_moe_s: float = 120.0
    """For those of the role optional_moe: as long as a trigger may take."""
    least_answers: int = bounded(20, least=1)
    """With fewer recent ones nobody is left out."""
    recent_s: float = bounded(3600.0, least=1)
    """How long an answer is recent."""
    off_s: float = bounded(300.0, least=0)
    """For how long the first time; each further time twice as long."""
    most_off_s: float = bounded(14_400.0, least=0)
    """At most."""


@dataclass(frozen=True, slots=True)
class Triggers:
    """Work for optional models that other parts ask for by a signal."""

    uses: tuple[TriggerName, ...] = TRIGGERS
    """Those that are allowed; others are refused, and load nothing."""
    timeout_s: float = bounded(120.0, least=0)
    """From the signal to the end of the work, waiting and loading included."""


@dataclass(frozen=True, slots=True)
class Household:
    """The process in the background."""

    idle_s: float = 600.0
    """It ends after this long without a command; never when started by `lumbre serve`."""


@dataclass(frozen=True, slots=True)
class Documents:
    """How files become passages."""

    passage_characters: int = bounded(1000, least=100)
    """About how long a passage is."""
    overlap_characters: int = 200
    """How much of a passage stands in the next one too: at most half of it."""
    max_file_bytes: int = bounded(512 * 1024**2, least=1)
    """Larger files are not read, nor packed ones that are larger unpacked."""
    max_pages: int = bounded(20_000, least=1)
    """A document of more pages is not read."""
    max_characters: int = bounded(20_000_000, least=1)
    """A document with more text is not kept: 20 million are about 10,000 pages."""
    parse_timeout_s: float = bounded(60.0, least=1)
    """How long the text of one file may take."""
    parse_memory_bytes: int = bounded(1024**3, least=64 * 1024**2)
    """What the process that reads files may hold."""
    viewer: str = ""
    """The command `lumbre docs open` runs, with {path}, {page} and {uri}; empty: one is found."""


@dataclass(frozen=True, slots=True)
class Answers:
    """How questions about documents are answered."""

    passages: int = bounded(3, least=1)
    """Passages shown to the model."""
    max_output_tokens: int = bounded(150, least=1)
    """The longest answer."""
    temperature: float = bounded(0.0, least=0, most=2)
    """0: the same question gets the same answer."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How weights arrive."""

    skip_checksum: bool = False
    """Use weights without comparing them with their manifest."""
    connect_timeout_s: float = bounded(5.0, least=0.1)
    """How long a source may take to be reached."""
    stall_timeout_s: float = bounded(30.0, least=0.1)
    """A transfer that brings no byte for this long is given up."""
    hf_endpoint: str = "https://huggingface.co"
    """Where `hf:` addresses are asked for: the hub or a mirror of it."""
    hf_token_env: str = "HF_TOKEN"
    """The environment variable with the hub's access token; no other place is looked at."""
    ollama_registry: str = "https://registry.ollama.ai"
    """Where `ollama:` addresses are asked for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole tree; one section of config.toml a field."""

    interface: Interface = field(default_factory=Interface)
    llm: Llm = field(default_factory=Llm)
    embeddings: Embeddings = field(default_factory=Embeddings)
    memory: Memory = field(default_factory=Memory)
    use: Use = field(default_factory=Use)
    worker: Worker = field(default_factory=Worker)
    pool: Pool = field(default_factory=Pool)
    strain: Strain = field(default_factory=Strain)
    residency: Residency = field(default_factory=Residency)
    latency: Latency = field(default_factory=Latency)
    triggers: Triggers = field(default_factory=Triggers)
    household: Household = field(default_factory=Household)
    documents: Documents = field(default_factory=Documents)
    answers: Answers = field(default_factory=Answers)
    weights: Weights = field(default_factory=Weights)
