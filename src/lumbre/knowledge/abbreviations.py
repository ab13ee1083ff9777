"""Dots that end no sentence: abbreviations of Spanish, Russian and English."""

_INSIDE = """
sr sra srta srs sres dr dra dña dª prof ing lic arq gral núm nº pág págs ej avda avd ctra pza
tfno apdo aprox máx mín ud uds vd vds ee uu cía s.a s.l excmo ilmo
т тыс млн млрд ул пр просп пер пл бул кв корп стр оф эт гор обл р-н пос им рис табл см напр
проф акад ред изд гл пп ст тел доб моб инд св о-в
mr mrs ms jr st rev capt sgt nos vs e.g i.e eg ie cf approx dept inc ltd corp pp
jan feb apr jun jul aug sept oct nov dec
"""
_MAY_END = "izq izqda dcha etc гг г руб коп т.д т.п др пр inc ltd co corp uds ud s.a s.l a.m p.m"
_BEFORE_A_NUMBER = """
no n nº núm p pp pág págs art arts cap fig figs vol ed ch sec tel ст п пп стр рис табл гл ч д кв
корп
"""
_STARTERS = """
the a an it this these in on at if for and el la los las un una en se si no por para
в на и он она они это если при по для не
"""

INSIDE = frozenset(_INSIDE.split())
"""Written with a dot inside a sentence, before a name as a rule."""
MAY_END = frozenset(_MAY_END.split())
"""Also end sentences: they do when a capital letter comes next."""
BEFORE_A_NUMBER = frozenset(_BEFORE_A_NUMBER.split())
"""Words of their own too: abbreviations only when a number comes next."""
STARTERS = frozenset(_STARTERS.split())
"""Begin sentences and no surnames: what comes after "Fenway E." but not after "A. S."."""
