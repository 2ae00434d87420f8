-- Which share of each day's interactions was closed by nobody, with the code TIMEOUTCHAT?
-- A day that was observed and had no interactions has no share; a day of which nothing was observed has no line.
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included, in both places.
WITH asked AS (
    SELECT * FROM days WHERE day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
), timeouts AS (
    SELECT i.operation AS operation, i.day AS day, sum(i.interactions) AS closed
    FROM interactions AS i
    WHERE i.cod_act = 'TIMEOUTCHAT' AND i.day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
    GROUP BY i.operation, i.day
)
SELECT a.operation AS operation, a.day AS day, a.interactions AS closed, coalesce(t.closed, 0) AS timeouts,
    round(100.0 * coalesce(t.closed, 0) / nullif(a.interactions, 0), 1) AS percent
FROM asked AS a
LEFT JOIN timeouts AS t ON t.operation = a.operation AND t.day = a.day
ORDER BY operation, day;
