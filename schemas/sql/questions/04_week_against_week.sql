-- How does this week compare with the last one?
-- The two totals are all that was observed. A week of which windows are missing looks quieter than it was, so the
-- change is told of windows that were observed in both weeks and took the same time in both.
-- Runs in DuckDB and ClickHouse over the views. Change the days of this week and of the last one.
WITH this_week AS (
    SELECT operation, window_local, seconds, interactions FROM windows
    WHERE day BETWEEN DATE '2026-11-02' AND DATE '2026-11-08'
), last_week AS (
    SELECT operation, window_local + INTERVAL 7 DAY AS window_local, seconds, interactions FROM windows
    WHERE day BETWEEN DATE '2026-10-26' AND DATE '2026-11-01'
), twins AS (
    SELECT t.operation AS operation, count(*) AS twins, sum(t.interactions) AS now, sum(l.interactions) AS before
    FROM this_week AS t
    JOIN last_week AS l ON l.operation = t.operation AND l.window_local = t.window_local AND l.seconds = t.seconds
    GROUP BY t.operation
), totals AS (
    SELECT w.operation AS operation, sum(w.this_week) AS this_week, sum(w.last_week) AS last_week
    FROM (
        SELECT operation, interactions AS this_week, 0 AS last_week FROM this_week
        UNION ALL
        SELECT operation, 0 AS this_week, interactions AS last_week FROM last_week
    ) AS w
    GROUP BY w.operation
)
SELECT a.operation AS operation, a.this_week AS this_week, a.last_week AS last_week,
    coalesce(b.twins, 0) AS windows_compared, coalesce(b.now, 0) AS compared_now, coalesce(b.before, 0) AS compared_before,
    round(100.0 * (b.now - b.before) / nullif(b.before, 0), 1) AS change_percent
FROM totals AS a
LEFT JOIN twins AS b ON b.operation = a.operation
ORDER BY operation;
