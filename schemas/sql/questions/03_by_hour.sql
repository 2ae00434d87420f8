-- At which hour of the day, on the clock on the wall, is there most to do?
-- Each hour is divided by the days on which it was observed: not by one on which the clock skipped it, nor by one
-- whose windows are missing. An hour that the clock repeated has what came in both passes.
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included.
WITH asked AS (
    SELECT * FROM windows WHERE day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
)
SELECT a.operation AS operation, a.hour AS hour,
    sum(a.interactions) AS closed,
    count(*) AS observed_windows,
    count(DISTINCT a.day) AS days,
    round(1.0 * sum(a.interactions) / count(DISTINCT a.day), 1) AS closed_a_day
FROM asked AS a
GROUP BY a.operation, a.hour
ORDER BY operation, hour;
