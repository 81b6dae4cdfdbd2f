"""Bring together what is known about a flight."""

import pandas as pd
from tables import compact, minutes

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def join(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Give each flight its weather, its aircraft and its destination: one row a flight, none lost, none doubled.

    The weather is that of the hour *before* the scheduled one. The row of 17:00 was measured at about 17:51: for a
    flight at 17:10 it lies in the future. The row of 16:00 (measured at 16:51) is known when the clock strikes 17.
    """
    one_hour_before = weather[["origin", *WEATHER]].assign(time_hour=weather["time_hour"] + pd.Timedelta(hours=1))
    aircraft = planes[["tailnum", "manufacturer", "seats"]].assign(plane_age=2013 - planes["year"])
    destination = airports[["faa", "lat", "lon"]].set_axis(["dest", "dest_lat", "dest_lon"], axis="columns")

    joined = (
        flights.drop(columns=["year", "flight", "dep_time", "arr_time", "sched_arr_time", "air_time"])
        .merge(one_hour_before, on=["origin", "time_hour"], how="left", validate="many_to_one")
        .merge(aircraft, on="tailnum", how="left", validate="many_to_one")
        .merge(destination, on="dest", how="left", validate="many_to_one")
    )
    # Of the schedule, too, much is known beforehand: the day, the minute, how many leave in the same hour.
    date = pd.to_datetime(flights[["year", "month", "day"]])
    joined["weekday"] = date.dt.day_of_week
    joined["minute_of_day"] = minutes(flights["sched_dep_time"])
    joined["departures_in_hour"] = flights.groupby(["origin", "time_hour"], observed=True)["flight"].transform("size")
    return joined.drop(columns=["tailnum", "day", "minute", "sched_dep_time", "time_hour"]).apply(compact)
