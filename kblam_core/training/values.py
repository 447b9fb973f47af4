"""Make values for training facts: people, dates, amounts, codes, addresses ... from Faker and from lists in the catalogue."""

import random
from functools import cache

from faker import Faker

from kblam_core.training.catalogue import Property

_LOCALES = ("en_GB", "en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "sv_SE", "cs_CZ", "tr_TR", "ru_RU", "ja_JP")
_MONTHS = "January February March April May June July August September October November December".split()
_COLOURS = "red,blue,moss green,charcoal grey,ivory,navy blue,burnt orange,teal,maroon,off-white,silver,#1F6FEB,pale pink".split(",")
_LANGUAGES = "English,Norwegian,Swahili,Portuguese,Welsh,Finnish,Japanese,Arabic,Quechua,German and French,Tamil,Polish".split(",")


class Values:
    """Draws values; `seed` makes the same sequence again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._fakers = [_faker(locale) for locale in _LOCALES]
        for faker in self._fakers:
            faker.seed_instance(seed)

    def state(self) -> list:
        """Where the random numbers are, for `restore`. The generators of Faker are shared by all Values of a process."""
        return [self.random.getstate(), *(faker.random.getstate() for faker in self._fakers)]

    def restore(self, state: list) -> None:
        """Go on from what `state` gave."""
        own, *fakers = state
        self.random.setstate(own)
        for faker, made in zip(self._fakers, fakers, strict=True):
            faker.random.setstate(made)

    def draw(self, property_: Property) -> str:
        """A value of this property's kind."""
        if property_.kind == "choice" or (property_.values and self.random.random() < 0.5):
            return self.random.choice(property_.values)
        return self.make(property_.kind)

    def _western(self) -> Faker:
        return self.random.choice(self._fakers[:10])

    def make(self, kind: str) -> str:
        """A value of that kind ("person", "measure:kg", ...); a code where the kind is unknown."""
        pick = self.random
        if kind.startswith("measure:"):
            unit = kind.partition(":")[2]
            number = pick.choice((pick.randint(1, 99), pick.randint(100, 9999), round(pick.uniform(0.1, 99), 1)))
            return f"{number:,} {unit}" if pick.random() < 0.5 else f"{number} {unit}"
        maker = getattr(self, f"_{kind}", None)
        return maker() if maker else self._code()

    def _person(self) -> str:
        faker = self.random.choice(self._fakers) if self.random.random() < 0.15 else self._western()
        title = self.random.choice(("Dr ", "Prof. ", "Ms ", "Capt. ")) if self.random.random() < 0.1 else ""
        return f"{title}{faker.first_name()} {faker.last_name()}"

    def _list_of_people(self) -> str:
        return ", ".join(self._person() for _ in range(self.random.randint(2, 4)))

    def _organisation(self) -> str:
        return self._western().company()

    def _place(self) -> str:
        return self._western().city()

    def _country(self) -> str:
        return self._fakers[0].country()

    def _street_address(self) -> str:
        return self._western().address().replace("\n", ", ")

    def _date(self) -> str:
        day, month, year = self.random.randint(1, 28), self.random.randint(1, 12), self.random.randint(1650, 2026)
        name = _MONTHS[month - 1]
        return self.random.choice(
            (f"{day} {name} {year}", f"{name} {day}, {year}", f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}")
        )

    def _year(self) -> str:
        return str(self.random.randint(1200, 2030))

    def _month(self) -> str:
        return self.random.choice(_MONTHS)

    def _time(self) -> str:
        return f"{self.random.randint(0, 23):02}:{self.random.choice((0, 5, 15, 20, 30, 45)):02}"

    def _duration(self) -> str:
        return f"{self.random.randint(2, 96)} {self.random.choice(('minutes', 'hours', 'days', 'weeks', 'months', 'years'))}"

    def _opening_hours(self) -> str:
        days = self.random.choice(("Mon-Fri", "Tuesday to Sunday", "daily", "weekends only", "Mon, Wed, Fri", "Tue-Sat"))
        return f"{days} {self.random.randint(6, 11)}:{self.random.choice(('00', '30'))}-{self.random.randint(15, 23)}:00"

    def _money(self) -> str:
        amount = self.random.choice((self.random.randint(2, 99), self.random.randint(100, 9999), self.random.randint(10**4, 10**7)))
        return self.random.choice((f"€{amount:,}", f"${amount:,}.{self.random.randint(0, 99):02}", f"{amount} EUR", f"£{amount:,}"))

    def _integer(self) -> str:
        number = self.random.choice((self.random.randint(1, 40), self.random.randint(41, 999), self.random.randint(10**3, 10**6)))
        return f"{number:,}" if self.random.random() < 0.4 else str(number)

    def _percentage(self) -> str:
        return f"{self.random.choice((self.random.randint(1, 99), round(self.random.uniform(0, 99), 1)))}%"

    def _code(self) -> str:
        return self._fakers[0].bothify(
            self.random.choice(("??-####", "???##", "#?-##/??", "??.###.##", "?###")), letters="ABCDEFGHKLMNPRSTVXZ"
        )

    def _serial(self) -> str:
        return self._fakers[0].bothify(self.random.choice(("SN-########", "??##??####", "####-####-??", "S/N ######")), letters="ABCDEFHKX")

    def _version(self) -> str:
        return ".".join(str(self.random.randint(0, 20)) for _ in range(self.random.choice((2, 3, 3))))

    def _email(self) -> str:
        return self._western().email()

    def _phone(self) -> str:
        return self._western().phone_number()

    def _url(self) -> str:
        faker = self._fakers[0]
        return self.random.choice((faker.url(), f"https://{faker.domain_name()}/{faker.uri_path()}"))

    def _colour(self) -> str:
        return self.random.choice(_COLOURS)

    def _language(self) -> str:
        return self.random.choice(_LANGUAGES)

    def _rating(self) -> str:
        return self.random.choice((f"{self.random.uniform(1, 5):.1f} out of 5", f"{self.random.randint(1, 10)}/10"))

    def _coordinates(self) -> str:
        return f"{self.random.uniform(-90, 90):.4f}, {self.random.uniform(-180, 180):.4f}"

    def _username(self) -> str:
        return self._fakers[0].user_name()

    def _license_plate(self) -> str:
        return self._western().license_plate()

    def _hex(self) -> str:
        return f"0x{self.random.getrandbits(32):08X}"


@cache
def _faker(locale: str) -> Faker:
    faker = Faker(locale)
    for provider in faker.get_providers():
        if locale == "it_IT" and hasattr(provider, "cities"):
            provider.cities = sorted(provider.cities)  # made from a set: its order changes with PYTHONHASHSEED
    return faker
