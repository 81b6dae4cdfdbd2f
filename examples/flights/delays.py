"""Who is late, where and when: counts that add up.

Each month is counted by itself, per carrier, airport and hour. Only sums are kept, never means, so that months can be
added together and every share and mean follows from the total.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

LATE_MINUTES = 15  # a flight is late when it leaves more than this after its scheduled time

KEYS = ["month", "carrier", "origin", "dest", "hour"]


def count(month: int, flights: pd.DataFrame) -> pd.DataFrame:
    """Count one month: a row for each carrier, airport, destination and scheduled hour that occurs."""
    of_month = flights[flights["month"] == month]
    departed = of_month["dep_delay"].notna()
    facts = of_month[KEYS].assign(
        scheduled=1,
        departed=departed,
        not_departed=~departed,
        late=of_month["dep_delay"] > LATE_MINUTES,
        delay_minutes=of_month["dep_delay"].fillna(0),
        arrived=of_month["arr_delay"].notna(),
        arrival_delay_minutes=of_month["arr_delay"].fillna(0),
        without_weather=of_month["visib"].isna(),
        without_plane=of_month["seats"].isna(),
        without_airport=of_month["dest_lat"].isna(),
    )
    return facts.groupby(KEYS, observed=True).sum().astype("int32").reset_index()


@dataclass(frozen=True)
class Delays:
    """The counts of all months, and the names behind the codes."""

    counts: pd.DataFrame
    airlines: pd.Series  # name of each carrier
    airports: pd.DataFrame  # name, lat and lon of each airport

    def per(self, *keys: str, at_least: float = 0.0) -> pd.DataFrame:
        """Add up the counts per key (or per combination of keys), and derive shares and means.

        Groups with less than `at_least` of all departures are left out: a share of three flights says nothing.
        """
        counts = self.counts.drop(columns=[key for key in KEYS if key not in keys]).groupby(list(keys)).sum()
        return rates(counts[counts["departed"] >= at_least * counts["departed"].sum()])

    @property
    def total(self) -> pd.Series:
        """Give the counts, shares and means of the whole year."""
        return rates(self.counts.drop(columns=KEYS).sum().to_frame().T).iloc[0]

    def airline(self, carrier: str) -> str:
        return str(self.airlines.get(carrier, carrier))

    def airport(self, code: str) -> str:
        return str(self.airports["name"].get(code, code))


def rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Derive from counts what people ask for: shares, and mean delays in minutes."""
    return counts.assign(
        late_share=counts["late"] / counts["departed"],
        not_departed_share=counts["not_departed"] / counts["scheduled"],
        mean_delay=counts["delay_minutes"] / counts["departed"],
        mean_arrival_delay=counts["arrival_delay_minutes"] / counts["arrived"],
    )


def add_up(months: Iterable[pd.DataFrame], airlines: pd.DataFrame, airports: pd.DataFrame) -> Delays:
    """Reduce the months to the year."""
    counts = pd.concat([month.astype({"carrier": "str", "origin": "str", "dest": "str"}) for month in months])
    return Delays(
        counts=counts.reset_index(drop=True),
        airlines=airlines.astype("str").set_index("carrier")["name"],
        airports=airports.astype({"faa": "str", "name": "str"}).set_index("faa")[["name", "lat", "lon"]],
    )
