"""Everything that can go wrong, in three branches by whose move it is.

    LumbreError
    ├── UsageError             change what was asked
    │   ├── BadArguments
    │   ├── BadConfig
    │   ├── BadConfigFile
    │   ├── UnknownConfigKey
    │   ├── BadManifest
    │   │   ├── ManifestUnreadable
    │   │   ├── ManifestWrongType
    │   │   ├── ManifestUnknownField
    │   │   ├── ManifestMissingField
    │   │   ├── PathClimbsOut
    │   │   ├── DuplicateId
    │   │   ├── PrimaryOnDemand
    │   │   ├── IdleWithoutOnDemand
    │   │   ├── ReasoningNotAllowed
    │   │   ├── CapabilityMissing
    │   │   ├── NoPrimary
    │   │   ├── SeveralPrimaries
    │   │   └── ManifestInTheWay
    │   ├── BadMachine
    │   ├── UnknownMachine
    │   ├── BadHousehold
    │   ├── UnknownHousehold
    │   ├── UnknownModel
    │   ├── OnlyKnown
    │   ├── CannotDo
    │   ├── WeightsMissing
    │   ├── WeightsGone
    │   ├── WrongChecksum
    │   ├── BadWeights
    │   ├── SplitWeights
    │   ├── NoChatTemplate
    │   ├── WrongPart
    │   ├── NotOffered
    │   ├── ComesWithLumbre
    │   ├── StillChosen
    │   ├── NeedsConsent
    │   ├── PromptTooLong
    │   ├── DocumentUnreadable
    │   ├── NothingIndexed
    │   ├── UnknownDocument
    │   ├── SeveralDocuments
    │   ├── UnknownCitation
    │   ├── UnknownConversation
    │   ├── BadArchive
    │   ├── HomeNotEmpty
    │   ├── HouseholdRuns
    │   ├── ModelPinned
    │   ├── BadEngine
    │   ├── UnknownEngine
    │   ├── EngineInUse
    │   ├── BadSignal
    │   ├── TriggerRefused
    │   └── HomeNotUsable
    ├── CapacityError          wait, or choose something smaller
    │   ├── DoesNotFit
    │   ├── NoRoomOnCard
    │   ├── TooManyLoaded
    │   ├── JustFailed
    │   ├── DiskFull
    │   ├── StoreFull
    │   ├── StoreBusy
    │   ├── BeingPulled
    │   ├── ModelDisabled
    │   ├── TookTooLong
    │   └── Stopping
    └── EngineError            the other side broke
        ├── WorkerFailed
        ├── EngineRefused
        ├── HouseholdFailed
        ├── HouseholdDied
        ├── SourceFailed
        ├── NoSourceDelivered
        └── StoreDamaged

Each leaf has a `code` that never changes and the facts it must be given; its words,
a message and a hint with the next command, stand in `words/errors.toml` under that code.
A test holds this drawing, the classes and the words together.
"""

from typing import ClassVar

from lumbre.words import Language, say


class LumbreError(Exception):
    """Anything lumbre tells a person went wrong. `facts` go into its words by name."""

    code: ClassVar[str] = ""
    wants: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **facts: object) -> None:
        missing = [name for name in self.wants if name not in facts]
        if missing:
            raise TypeError(f"{type(self).__name__} needs {missing}")
        self.facts = facts
        super().__init__(facts)

    def message(self, language: Language = "en") -> str:
        """What went wrong, naming the value."""
        return say(f"errors.{self.code}.message", language, **self.facts)

    def hint(self, language: Language = "en") -> str:
        """What to do about it: the next command where there is one."""
        return say(f"errors.{self.code}.hint", language, **self.facts)

    def __str__(self) -> str:
        return self.message()


class UsageError(LumbreError):
    """The question has to change."""


class CapacityError(LumbreError):
    """There is no room for it now, or not on this machine."""


class EngineError(LumbreError):
    """Something we rely on broke."""


class BadArguments(UsageError):
    """A command line or a request that cannot be understood."""

    code = "bad_arguments"
    wants = ("reason",)


class BadConfig(UsageError):
    """A setting whose value cannot be used."""

    code = "bad_config"
    wants = ("key", "value", "reason", "where")


class BadConfigFile(UsageError):
    """A settings file of which nothing can be understood."""

    code = "bad_config_file"
    wants = ("path", "reason")


class UnknownConfigKey(UsageError):
    """A setting that does not exist."""

    code = "unknown_config_key"
    wants = ("key", "nearest", "where")


class BadManifest(UsageError):
    """A manifest that breaks a rule; each rule is a leaf."""


class ManifestUnreadable(BadManifest):
    """Not YAML, not a mapping, or not readable."""

    code = "manifest_unreadable"
    wants = ("path", "reason")


class ManifestWrongType(BadManifest):
    """A field holds the wrong kind of value."""

    code = "manifest_wrong_type"
    wants = ("path", "field", "value", "reason")


class ManifestUnknownField(BadManifest):
    """A field that no manifest has; `metadata` is the place for such."""

    code = "manifest_unknown_field"
    wants = ("path", "field", "nearest")


class ManifestMissingField(BadManifest):
    """A field that this kind of model must have."""

    code = "manifest_missing_field"
    wants = ("path", "field")


class PathClimbsOut(BadManifest):
    """A weights path that leaves the weights folder."""

    code = "path_climbs_out"
    wants = ("path", "value")


class DuplicateId(BadManifest):
    """Two manifests with one id."""

    code = "duplicate_id"
    wants = ("path", "id", "other")


class PrimaryOnDemand(BadManifest):
    """A primary loads at start; it cannot be on_demand."""

    code = "primary_on_demand"
    wants = ("path", "id")


class IdleWithoutOnDemand(BadManifest):
    """Only on_demand models unload when idle."""

    code = "idle_without_on_demand"
    wants = ("path", "id")


class ReasoningNotAllowed(BadManifest):
    """Reasoning modes belong to optional_moe models, planners and judges."""

    code = "reasoning_not_allowed"
    wants = ("path", "id")


class CapabilityMissing(BadManifest):
    """A role promises what the capabilities do not hold."""

    code = "capability_missing"
    wants = ("path", "id", "role", "capability")


class NoPrimary(BadManifest):
    """A household without a primary."""

    code = "no_primary"
    wants = ("path",)


class SeveralPrimaries(BadManifest):
    """A household with more than one primary and no word on which."""

    code = "several_primaries"
    wants = ("path", "ids")


class ManifestInTheWay(BadManifest):
    """A manifest its owner changed stands where a shipped one would go."""

    code = "manifest_in_the_way"
    wants = ("path", "household")


class BadMachine(UsageError):
    """A file that describes a machine, and a value in it that no machine has."""

    code = "bad_machine"
    wants = ("path", "key", "value", "reason")


class UnknownMachine(UsageError):
    """Neither a file nor a machine that lumbre brings along."""

    code = "unknown_machine"
    wants = ("name", "known")


class BadHousehold(UsageError):
    """A file that describes a household, and something in it that cannot be."""

    code = "bad_household"
    wants = ("path", "reason")


class UnknownHousehold(UsageError):
    """Neither a file nor a household that lumbre brings along."""

    code = "unknown_household"
    wants = ("name", "known")


class UnknownModel(UsageError):
    """No model has this id, role or capability."""

    code = "unknown_model"
    wants = ("name", "known")


class OnlyKnown(UsageError):
    """A model that can be planned with and was never added; `then` says how to add it."""

    code = "only_known"
    wants = ("model", "then")


class CannotDo(UsageError):
    """The model exists but cannot do this kind of work."""

    code = "cannot_do"
    wants = ("model", "what")


class WeightsMissing(UsageError):
    """The model's files are not here yet."""

    code = "weights_missing"
    wants = ("model",)


class WeightsGone(UsageError):
    """A file that lumbre only points to, and that is no longer there."""

    code = "weights_gone"
    wants = ("model", "path")


class WrongChecksum(UsageError):
    """The bytes are not the ones the manifest names."""

    code = "wrong_checksum"
    wants = ("model", "path", "expected", "found")


class BadWeights(UsageError):
    """A weights file whose header cannot be believed."""

    code = "bad_weights"
    wants = ("path", "reason")


class SplitWeights(UsageError):
    """One piece of weights that were cut into several files."""

    code = "split_weights"
    wants = ("path", "pieces")


class NoChatTemplate(UsageError):
    """Weights that continue text and do not know how to talk."""

    code = "no_chat_template"
    wants = ("path", "role")


class WrongPart(UsageError):
    """A file that is another part of a model than it was given for."""

    code = "wrong_part"
    wants = ("path", "reason")


class NotOffered(UsageError):
    """A publisher does not have what an address names, or not for everybody."""

    code = "not_offered"
    wants = ("source", "reason")


class ComesWithLumbre(UsageError):
    """Weights inside an installed package are neither pulled nor removed."""

    code = "comes_with_lumbre"
    wants = ("model",)


class StillChosen(UsageError):
    """The model that answers cannot be removed before another one is chosen."""

    code = "still_chosen"
    wants = ("model",)


class NeedsConsent(UsageError):
    """A question had to be asked and there was nobody to answer it."""

    code = "needs_consent"
    wants = ("what",)


class PromptTooLong(UsageError):
    """What was asked is longer than the model's window."""

    code = "prompt_too_long"
    wants = ("model", "prompt_tokens", "window_tokens")


class DocumentUnreadable(UsageError):
    """A file that gives no text; `why` is a code of words/docs.toml."""

    code = "document_unreadable"
    wants = ("document", "reason")


class NothingIndexed(UsageError):
    """A question about documents before any was added."""

    code = "nothing_indexed"
    wants = ("where",)


class UnknownDocument(UsageError):
    """A document that was never added; `near`: a sentence with those like it, or empty."""

    code = "unknown_document"
    wants = ("document", "near")


class SeveralDocuments(UsageError):
    """A name that more than one document has."""

    code = "several_documents"
    wants = ("document", "found")


class UnknownCitation(UsageError):
    """A number that the last answer cited nothing under, as far as it is still kept."""

    code = "unknown_citation"
    wants = ("id", "known")


class UnknownConversation(UsageError):
    """Nothing to continue."""

    code = "unknown_conversation"


class BadArchive(UsageError):
    """A file that is not what `lumbre export` writes, or stands where it would write."""

    code = "bad_archive"
    wants = ("path", "reason")


class HomeNotEmpty(UsageError):
    """Something would be put in place of documents and talks without being told to."""

    code = "home_not_empty"
    wants = ("path", "documents", "talks")


class HouseholdRuns(UsageError):
    """What is asked for cannot be done while the household is at work."""

    code = "household_runs"
    wants = ("pid",)


class ModelPinned(UsageError):
    """A model that a person wants to stay loaded is not unloaded."""

    code = "model_pinned"
    wants = ("model",)


class BadEngine(UsageError):
    """A file or folder that is not a build of the engine for this machine."""

    code = "bad_engine"
    wants = ("path", "reason")


class UnknownEngine(UsageError):
    """A name that is no build of the engine to be had or let go of here."""

    code = "unknown_engine"
    wants = ("reason",)


class EngineInUse(UsageError):
    """A build of the engine that a process still has open."""

    code = "engine_in_use"
    wants = ("engine", "pid")


class BadSignal(UsageError):
    """A signal that does not exist, or one with a wrong, missing or unknown field."""

    code = "bad_signal"
    wants = ("name", "reason")


class TriggerRefused(UsageError):
    """A trigger that the settings do not allow, or that no model here can answer."""

    code = "trigger_refused"
    wants = ("trigger", "reason", "then")


class HomeNotUsable(UsageError):
    """The folder lumbre keeps its things in cannot be written or is unfit."""

    code = "home_not_usable"
    wants = ("path", "reason")


class DoesNotFit(CapacityError):
    """The model needs more memory than the machine can give now."""

    code = "does_not_fit"
    wants = (
        "model",
        "need_bytes",
        "weights_bytes",
        "repack_bytes",
        "kv_bytes",
        "overhead_bytes",
        "available_bytes",
    )


class NoRoomOnCard(CapacityError):
    """The model needs more memory of a graphics card than it can give now."""

    code = "no_room_on_card"
    wants = ("model", "device", "need_bytes", "available_bytes")


class TooManyLoaded(CapacityError):
    """As many chat models as the settings allow are loaded, and none of them may be unloaded."""

    code = "too_many_loaded"
    wants = ("model", "most")


class JustFailed(CapacityError):
    """The model failed a moment ago and is left alone for a while."""

    code = "just_failed"
    wants = ("model", "reason", "log", "retry_after_s")


class DiskFull(CapacityError):
    """Not enough room on the disk."""

    code = "disk_full"
    wants = ("path", "need_bytes", "free_bytes")


class StoreFull(CapacityError):
    """No room on the disk for what the database was to keep; nothing of it landed."""

    code = "store_full"
    wants = ("path", "free_bytes")


class StoreBusy(CapacityError):
    """Another program holds the database and did not let go in time."""

    code = "store_busy"
    wants = ("path",)


class BeingPulled(CapacityError):
    """Another lumbre is writing the model's files."""

    code = "being_pulled"
    wants = ("model",)


class ModelDisabled(CapacityError):
    """An optional model is left out for a while: its answers took longer than its role may."""

    code = "model_disabled"
    wants = ("model", "p95_s", "limit_s", "retry_after_s")


class TookTooLong(CapacityError):
    """The answer to a trigger was not whole when its time was over; the engine was stopped."""

    code = "took_too_long"
    wants = ("trigger", "model", "limit_s")


class Stopping(CapacityError):
    """The household is closing and takes no more questions."""

    code = "stopping"


class WorkerFailed(EngineError):
    """A worker did not become ready, or died. `log` is where its words are kept."""

    code = "worker_failed"
    wants = ("model", "reason", "log")


class EngineRefused(EngineError):
    """An engine answered with an error of its own."""

    code = "engine_refused"
    wants = ("model", "reason")


class HouseholdFailed(EngineError):
    """The background process did not start, or gave an answer nobody understands."""

    code = "household_failed"
    wants = ("reason", "log")


class HouseholdDied(EngineError):
    """The background process went away in the middle of an answer."""

    code = "household_died"
    wants = ("pid", "log")


class SourceFailed(EngineError):
    """One source of weights did not deliver."""

    code = "source_failed"
    wants = ("source", "reason")


class NoSourceDelivered(EngineError):
    """Every source of a model's weights was tried."""

    code = "no_source_delivered"
    wants = ("model", "tried")


class StoreDamaged(EngineError):
    """The database is not one this version can read."""

    code = "store_damaged"
    wants = ("path", "reason")


def leaves(branch: type[LumbreError] = LumbreError) -> list[type[LumbreError]]:
    """Every error that can be raised, in the order of the drawing."""
    below = branch.__subclasses__()
    if not below:
        return [branch]
    return [leaf for sub in below for leaf in leaves(sub)]


def by_code(code: str) -> type[LumbreError] | None:
    """The leaf with this code, for an error that came over a wire."""
    return next((leaf for leaf in leaves() if leaf.code == code), None)
