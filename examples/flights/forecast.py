"""Will this flight leave more than 15 minutes late? A forecast made when the clock strikes the scheduled hour.

What it may know is listed in KNOWN_BEFOREHAND: the schedule, the aircraft assigned, and the weather of the hour
before. Nothing that is measured at or after departure (departure time and delay, all of the arrival, air time) is in
the list, and only the list reaches the model. It learns from some months and is judged on others, which it never saw.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from delays import LATE_MINUTES
from joins import WEATHER
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve
from threadpoolctl import threadpool_limits

KNOWN_BEFOREHAND = {
    "Time of day, day of week": ["minute_of_day", "weekday"],
    "Carrier": ["carrier"],
    "Route": ["origin", "dest", "dest_lat", "dest_lon", "distance"],
    "Weather an hour before": WEATHER,
    "Aircraft": ["manufacturer", "seats", "plane_age"],
    "Departures in that hour": ["departures_in_hour"],
}
FEATURES = [feature for group in KNOWN_BEFOREHAND.values() for feature in group]


def one_thread() -> AbstractContextManager[object]:
    """Let scikit-learn use one thread.

    OpenMP's threads wait for one another busily: on a machine that has other work, two train ten times slower than
    one does (measured on two busy cores: 38 s against 5 s). Alone on the machine, the second one gains little.
    """
    limit: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="openmp")
    return limit


@dataclass(frozen=True)
class Forecast:
    """A trained model, and the two baselines that it has to beat, learnt from the same months."""

    months: list[int]  # learnt from
    flights: int
    model: HistGradientBoostingClassifier
    late_share: float
    late_share_of_carrier: pd.Series

    def predict(self, flights: pd.DataFrame) -> np.ndarray:
        """Give each flight its probability of leaving late."""
        with one_thread():
            return np.asarray(self.model.predict_proba(flights[FEATURES])[:, 1])

    def predict_by_carrier(self, flights: pd.DataFrame) -> np.ndarray:
        """Give each flight the share of late flights that its carrier had."""
        of_carrier = flights["carrier"].astype("str").map(self.late_share_of_carrier)
        return np.asarray(of_carrier.fillna(self.late_share))

    def predict_base_rate(self, flights: pd.DataFrame) -> np.ndarray:
        """Give each flight the same: the share of late flights that there was."""
        return np.full(len(flights), self.late_share)


@dataclass(frozen=True)
class Score:
    """How good probabilities are."""

    auc: float  # how often a late flight ranks above a punctual one; 0.5 is chance
    brier: float  # mean squared error; 0 is perfect
    curve: tuple[np.ndarray, np.ndarray]  # share of false alarms, share of late flights found


@dataclass(frozen=True)
class Evaluation:
    """What the forecast is worth on the months held out."""

    months: list[int]
    learnt_months: list[int]
    flights: int
    learnt_flights: int
    late_share: float  # the base rate in the months held out
    model: Score
    carrier_mean: Score
    base_rate: Score
    calibration: pd.DataFrame  # ten groups of equal size by predicted risk: predicted, observed
    auc_lost: dict[str, float]  # when the values of a group of features are dealt out at random


def split(flights: pd.DataFrame, held_out: Sequence[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split what can be judged (the flights that departed) into months to learn from and months held out."""
    departed = flights[flights["dep_delay"].notna()]
    is_held_out = departed["month"].isin(list(held_out))
    if is_held_out.all() or not is_held_out.any():
        months = sorted(int(month) for month in departed["month"].unique())
        raise ValueError(f"held_out={list(held_out)} leaves nothing to learn from or to judge; months: {months}")
    return departed[~is_held_out], departed[is_held_out]


def is_late(flights: pd.DataFrame) -> pd.Series:
    return flights["dep_delay"] > LATE_MINUTES


def train(flights: pd.DataFrame, held_out: Sequence[int]) -> Forecast:
    """Learn from all months but those held out."""
    learnt, _ = split(flights, held_out)
    late = is_late(learnt)
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", learning_rate=0.1, min_samples_leaf=50, early_stopping=False, random_state=0
    )
    with one_thread():
        model.fit(learnt[FEATURES], late)
    return Forecast(
        months=months_of(learnt),
        flights=len(learnt),
        model=model,
        late_share=float(late.mean()),
        late_share_of_carrier=late.groupby(learnt["carrier"].astype("str")).mean(),
    )


def evaluate(forecast: Forecast, flights: pd.DataFrame, held_out: Sequence[int]) -> Evaluation:
    """Judge the forecast, and both baselines, on the months held out."""
    _, unseen = split(flights, held_out)
    late, risk = is_late(unseen), forecast.predict(unseen)
    return Evaluation(
        months=months_of(unseen),
        learnt_months=forecast.months,
        flights=len(unseen),
        learnt_flights=forecast.flights,
        late_share=float(late.mean()),
        model=score(late, risk),
        carrier_mean=score(late, forecast.predict_by_carrier(unseen)),
        base_rate=score(late, forecast.predict_base_rate(unseen)),
        calibration=calibrate(late, risk),
        auc_lost=weigh(forecast, unseen),
    )


def months_of(flights: pd.DataFrame) -> list[int]:
    return sorted(int(month) for month in flights["month"].unique())


def score(late: pd.Series, risk: np.ndarray) -> Score:
    false_alarms, found, _ = roc_curve(late, risk)
    every = max(1, len(found) // 200)  # enough points for a smooth line
    points = np.r_[np.arange(0, len(found) - 1, every), len(found) - 1]
    return Score(
        auc=float(roc_auc_score(late, risk)),
        brier=float(brier_score_loss(late, risk)),
        curve=(false_alarms[points], found[points]),
    )


def calibrate(late: pd.Series, risk: np.ndarray, groups: int = 10) -> pd.DataFrame:
    """Compare, from the least to the most endangered tenth of the flights, the risk predicted with that observed."""
    tenth = np.argsort(np.argsort(risk)) * groups // len(risk)
    compared = pd.DataFrame({"predicted": risk, "observed": late.to_numpy()})
    return compared.groupby(tenth).mean()


def weigh(forecast: Forecast, flights: pd.DataFrame, sample: int = 25_000) -> dict[str, float]:
    """Measure what each group of features is worth: the AUC lost when its values are dealt out at random."""
    drawn = flights.sample(min(sample, len(flights)), random_state=0)
    late = is_late(drawn)
    auc = roc_auc_score(late, forecast.predict(drawn))
    lost = {}
    for group, features in KNOWN_BEFOREHAND.items():
        shuffled = drawn.copy()
        shuffled[features] = drawn[features].sample(frac=1, random_state=0).set_axis(drawn.index)
        lost[group] = float(auc - roc_auc_score(late, forecast.predict(shuffled)))
    return lost
