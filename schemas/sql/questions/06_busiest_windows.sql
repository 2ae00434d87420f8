-- Which were the five busiest windows of each operation? Of equal ones, the earliest.
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included.
WITH ranked AS (
    SELECT w.operation AS operation, w.window_local AS window_local, w.interactions AS closed, w.row_count AS row_count,
        row_number() OVER (PARTITION BY w.operation ORDER BY w.interactions DESC, w.window_local) AS place
    FROM windows AS w
    WHERE w.day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
)
SELECT operation, place, window_local, closed, row_count
FROM ranked
WHERE place <= 5 AND closed > 0
ORDER BY operation, place;
