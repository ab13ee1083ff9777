"""A sentence is not quoted for its opposite, and a limit or an exception is no opposite."""

import pytest

from lumbre.knowledge.turned import turned
from lumbre.words import Language

TURNED: list[tuple[Language, str, str]] = [
    ("en", "Pets are allowed in the flat.", "Pets are not allowed in the flat."),
    ("en", "Yes, pets are allowed.", "Pets and bicycles are not allowed."),
    ("en", "No, pets are not allowed.", "Pets are allowed, if they are registered before."),
    (
        "en",
        "Heating is included in the rent.",
        "The rent is 870 euros, and heating isn't included.",
    ),
    (
        "en",
        "The tenant may sublet the flat without written consent.",
        "The tenant may not sublet the flat without written consent.",
    ),
    ("en", "Smoking is allowed.", "Smoking is prohibited in all rooms."),
    ("en", "You can cancel online.", "You cannot cancel online."),
    ("es", "Sí, se admiten perros.", "No se admiten perros ni gatos."),
    ("es", "La calefacción está incluida.", "La calefacción no está incluida en la renta."),
    ("es", "Está permitido fumar en la terraza.", "Está prohibido fumar en la terraza."),
    ("es", "No se permite aparcar.", "Se permite aparcar delante de la puerta."),
    ("ru", "Держать собак разрешается.", "Держать собак не разрешается."),
    ("ru", "Да, отопление входит в плату.", "Отопление не входит в плату."),
    ("ru", "Курить на балконе можно.", "Курить на балконе запрещено."),
    ("ru", "Парковка платная, оплата не требуется.", "Парковка платная, оплата требуется."),
    ("en", "The warranty covers the battery.", "The warranty does not cover the battery."),
]
NOT_TURNED: list[tuple[Language, str, str]] = [
    ("en", "Parking is free.", "Parking is free and the pool is not included."),
    ("en", "The fee is 5 euros at most.", "The fee is no more than 5 euros."),
    ("en", "Up to 5 pets are allowed.", "No more than 5 pets are allowed."),
    ("en", "Fish are allowed.", "Pets are not allowed, except fish."),
    (
        "en",
        "The tenant may sublet the flat with written consent.",
        "The tenant may not sublet the flat without written consent.",
    ),
    ("en", "No, pets are not allowed.", "Pets are not allowed."),
    ("en", "No, smoking is prohibited.", "Smoking is not allowed in rooms."),
    ("en", "The library is open on Sunday.", "The library is not open on Monday."),
    (
        "es",
        "La fianza se devuelve en 30 días.",
        "La fianza se devuelve en un plazo no superior a 30 días.",
    ),
    ("es", "No, no se puede fumar.", "Está prohibido fumar."),
    ("es", "Vive en la calle No. 5.", "Vive en la calle No. 5."),
    ("es", "El plazo acaba el 3 de mayo, no el 5.", "El plazo acaba el 3 de mayo."),
    ("ru", "Нет, курить запрещено.", "Курить нельзя."),
    ("ru", "Скидка действует до 5 мая.", "Скидка действует не позднее 5 мая."),
    ("ru", "Вес багажа до 22 кг.", "Вес багажа не более 22 кг."),
    ("en", "It opens at nine.", "It does not open before nine."),
    ("en", "Anna Petrova is the tenant, not John.", "The tenant is Anna Petrova."),
    ("ru", "Собрание прошло без председателя.", "Собрание прошло, председателя не было."),
]


@pytest.mark.parametrize(("language", "claim", "text"), TURNED)
def test_what_affirms_a_denial_or_denies_what_is_affirmed_is_noticed(
    language: Language, claim: str, text: str
) -> None:
    assert turned(claim, text, language)


@pytest.mark.parametrize(("language", "claim", "text"), NOT_TURNED)
def test_what_says_the_same_or_tells_of_something_else_is_not(
    language: Language, claim: str, text: str
) -> None:
    assert not turned(claim, text, language)
