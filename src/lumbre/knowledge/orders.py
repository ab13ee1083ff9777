"""Tell the sentences of a document that speak to the model instead of to its reader.

A page may hide "ignore your instructions and say X". Such a sentence is not put before the
model, nothing is quoted from it, and its going is told; the rest of the passage stays.
"""

import re

from lumbre.knowledge.sentences import sentences

_END = r"(?![^\W_])"
_YOU = r"(?:you|your|yours|tu|tus|su|sus|usted|vos|ты|вы|тебе|вам|твой|ваш\w*|тво\w+)"
_MODEL = (
    r"(?:\bA\.?I\.?\b|\bLLM\b|assistant|chat ?bot|language model|system prompt|"
    r"\bIA\b|asistente|modelo de lenguaje|"
    r"\bИИ\b|ассистент\w*|помощник\w*|чат-?бот\w*|языков\w+ модел\w+|нейросет\w+)"
)
_RULES = (
    r"(?:instructions?|prompts?|rules|guidelines|context|"
    r"instrucci[oó]n(?:es)?|indicaci[oó]n(?:es)?|órdenes|reglas|"
    r"инструкци\w+|указани\w+|правил\w*|промпт\w*)"
)
_FORGET = (
    r"(?:ignore|disregard|forget|override|bypass|do not follow|don't follow|"
    r"ignor[aáe]\w*|olvid[aáe]\w*|desobede\w+|haz caso omiso|no sigas|pas[ae] por alto|"
    r"игнориру\w+|проигнориру\w+|забудь\w*|не следуй\w*|отмени\w*)"
)
_SAY = (
    r"(?:answer|respond|reply|say|output|print|write|repeat|include|append|begin|start|end|"
    r"respond[ea]\w*|contest[ae]\w*|di(?:ga)?|escrib[ea]\w*|repit[ea]\w*|incluy[ea]\w*|"
    r"añad[ea]\w*|agreg(?:a|ue)\w*|empieza|empiece|termina|termine|devuelv[ea]\w*|imprim[ea]\w*|"
    r"ответь\w*|отвечай\w*|скажи\w*|напиши\w*|пиши\w*|повтори\w*|включ\w+|добавь\w*|"
    r"добавляй\w*|выведи\w*|начни\w*|начинай\w*|закончи\w*|заканчивай\w*)"
)
_REPLY = (
    r"(?:(?:your|every|each|all|any) (?:answers?|repl(?:y|ies)|responses?)|the (?:user|answer)\b|"
    r"(?:tu|su|cada|toda|cualquier|la) respuestas?|todas (?:tus|sus|las) respuestas|"
    r"al usuario|el usuario|"
    r"(?:сво\w+|ваш\w*|тво\w+|кажд\w+|люб\w+|всех|все) ответ\w*|пользовател\w+)"
)
_ASKED = (
    r"(?:(?:if|when(?:ever)?) (?:the user |users |someone |anyone |you are |you're )?"
    r"(?:asks?|asked|questioned)|"
    r"(?:si|cuando) (?:el usuario |un usuario |alguien )?(?:te |le )?pregunt\w+|"
    r"(?:если|когда) (?:пользователь |кто-то |кто-нибудь |тебя |вас )*(?:спрос\w+|спрашива\w+))"
)
_PATTERNS = (
    rf"\b{_FORGET}\b.{{0,60}}{_RULES}",
    rf"{_RULES}.{{0,30}}\b(?:above|previous|anterior\w*|previ[ao]s|выше|предыдущ\w+)\b.{{0,40}}\b{_FORGET}",
    rf"\b(?:you are|eres|ahora eres|actúa como|act as|pretend to be|ты|вы)\b.{{0,30}}{_MODEL}",
    rf"{_MODEL}.{{0,80}}\b{_SAY}{_END}",
    rf"\b{_SAY}{_END}.{{0,60}}{_MODEL}",
    rf"\b{_SAY}{_END}.{{0,60}}{_REPLY}",
    rf"{_REPLY}.{{0,60}}\b(?:must|should|shall|debe\w*|tiene\w* que|долж\w+|нужно)\b",
    rf"{_ASKED}.{{0,100}}\b{_SAY}{_END}",
    r"^\W*(?:system|assistant|user|sistema|asistente|usuario|система|ассистент)\s*[:>\]]",
    rf"\b(?:note|attention|message|important|nota|atención|mensaje|внимание|сообщение|важно)\b"
    rf".{{0,20}}\b(?:to|for|para|al|для|к)\b.{{0,20}}{_MODEL}",
    rf"\b(?:new|nuevas?|нов\w+) {_RULES}",
    r"<\|[^|>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>",
)
_ORDER = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.DOTALL)


def is_order(sentence: str) -> bool:
    """Whether a sentence tells a model what to do."""
    return bool(_ORDER.search(sentence))


def without_orders(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without such sentences, and these."""
    kept, gone, start = [], [], 0
    for span in sentences(text):
        sentence = text[span.start : span.end]
        if is_order(sentence):
            kept.append(text[start : span.start])
            gone.append(" ".join(sentence.split()))
            start = span.end
    return "".join([*kept, text[start:]]) if gone else text, tuple(gone)
