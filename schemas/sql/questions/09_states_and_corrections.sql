-- Which days may still change, and which were corrected?
-- provisional: the source has not yet agreed for the last time, or a correction made it doubtful again. late_windows
-- have content that was first answered a day or more after their end: corrected since, or filled later.
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included.
SELECT d.operation AS operation, d.day AS day, d.state AS state, d.windows AS observed_windows,
    d.late_windows AS late_windows, d.rejected_rows AS rejected_rows, d.dropped_rows AS dropped_rows
FROM days AS d
WHERE d.day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
    AND (d.state = 'provisional' OR d.late_windows > 0 OR d.rejected_rows > 0)
ORDER BY operation, day;
