"""Time zones as a person chooses them: each place once, by the name it has today.

Owns which names are old. They come from the list `backward` of the time zone database, which keeps them for those who
have one set; what `zone.tab` still lists as a place of its own is not old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_NO_PLACES = ("Etc/", "SystemV/", "US/", "Brazil/", "Canada/", "Chile/", "Mexico/", "posix", "UTC")
"""Of the zones' names: old ones and bare offsets. Everything else is called by a place."""

_CALLED_BEFORE: Mapping[str, tuple[str, ...]] = {
    "Africa/Abidjan": ("Africa/Timbuktu",),
    "Africa/Nairobi": ("Africa/Asmera",),
    "America/Adak": ("America/Atka",),
    "America/Argentina/Buenos_Aires": ("America/Buenos_Aires",),
    "America/Argentina/Catamarca": (
        "America/Argentina/ComodRivadavia",
        "America/Catamarca",
    ),
    "America/Argentina/Cordoba": (
        "America/Cordoba",
        "America/Rosario",
    ),
    "America/Argentina/Jujuy": ("America/Jujuy",),
    "America/Argentina/Mendoza": ("America/Mendoza",),
    "America/Denver": ("America/Shiprock",),
    "America/Edmonton": ("America/Yellowknife",),
    "America/Indiana/Indianapolis": (
        "America/Fort_Wayne",
        "America/Indianapolis",
    ),
    "America/Indiana/Knox": ("America/Knox_IN",),
    "America/Iqaluit": ("America/Pangnirtung",),
    "America/Kentucky/Louisville": ("America/Louisville",),
    "America/Nuuk": ("America/Godthab",),
    "America/Panama": ("America/Coral_Harbour",),
    "America/Puerto_Rico": ("America/Virgin",),
    "America/Rio_Branco": ("America/Porto_Acre",),
    "America/Tijuana": (
        "America/Ensenada",
        "America/Santa_Isabel",
    ),
    "America/Toronto": (
        "America/Montreal",
        "America/Nipigon",
        "America/Thunder_Bay",
    ),
    "America/Winnipeg": ("America/Rainy_River",),
    "Asia/Ashgabat": ("Asia/Ashkhabad",),
    "Asia/Dhaka": ("Asia/Dacca",),
    "Asia/Ho_Chi_Minh": ("Asia/Saigon",),
    "Asia/Jerusalem": ("Asia/Tel_Aviv",),
    "Asia/Kathmandu": ("Asia/Katmandu",),
    "Asia/Kolkata": ("Asia/Calcutta",),
    "Asia/Macau": ("Asia/Macao",),
    "Asia/Makassar": ("Asia/Ujung_Pandang",),
    "Asia/Nicosia": ("Europe/Nicosia",),
    "Asia/Shanghai": (
        "Asia/Chongqing",
        "Asia/Chungking",
        "Asia/Harbin",
    ),
    "Asia/Thimphu": ("Asia/Thimbu",),
    "Asia/Ulaanbaatar": (
        "Asia/Choibalsan",
        "Asia/Ulan_Bator",
    ),
    "Asia/Urumqi": ("Asia/Kashgar",),
    "Asia/Yangon": ("Asia/Rangoon",),
    "Atlantic/Faroe": ("Atlantic/Faeroe",),
    "Australia/Adelaide": ("Australia/South",),
    "Australia/Brisbane": ("Australia/Queensland",),
    "Australia/Broken_Hill": ("Australia/Yancowinna",),
    "Australia/Darwin": ("Australia/North",),
    "Australia/Hobart": (
        "Australia/Currie",
        "Australia/Tasmania",
    ),
    "Australia/Lord_Howe": ("Australia/LHI",),
    "Australia/Melbourne": ("Australia/Victoria",),
    "Australia/Perth": ("Australia/West",),
    "Australia/Sydney": (
        "Australia/ACT",
        "Australia/Canberra",
        "Australia/NSW",
    ),
    "Europe/Berlin": ("Atlantic/Jan_Mayen",),
    "Europe/Chisinau": ("Europe/Tiraspol",),
    "Europe/Istanbul": ("Asia/Istanbul",),
    "Europe/Kyiv": (
        "Europe/Kiev",
        "Europe/Uzhgorod",
        "Europe/Zaporozhye",
    ),
    "Europe/London": ("Europe/Belfast",),
    "Pacific/Auckland": ("Antarctica/South_Pole",),
    "Pacific/Guadalcanal": ("Pacific/Ponape",),
    "Pacific/Honolulu": ("Pacific/Johnston",),
    "Pacific/Kanton": ("Pacific/Enderbury",),
    "Pacific/Pago_Pago": ("Pacific/Samoa",),
    "Pacific/Port_Moresby": (
        "Pacific/Truk",
        "Pacific/Yap",
    ),
}
_OLD = {old: new for new, names in _CALLED_BEFORE.items() for old in names}


def places(known: Sequence[str]) -> list[str]:
    """Of the zones that this machine knows, those to choose from. An old name only where the new one is unknown."""
    here = set(known)
    wanted = (name for name in known if "/" in name and not name.startswith(_NO_PLACES))
    return [*(name for name in wanted if _OLD.get(name) not in here), "UTC"]
