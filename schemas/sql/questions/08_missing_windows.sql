-- What was not observed? A line for each gap between two observed windows, and one for where each operation's
-- observation ends so far: that has neither a next window nor a count.
-- The gap lies between last_seen and next_seen, both observed. Windows in an hour that the clock skips do not exist
-- and are not counted; those of an hour that it repeats are counted once, as the source is asked once. A gap is told whole
-- also where it reaches beyond the days; nothing is known of the time before an operation's first window.
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included.
WITH pairs AS (
    SELECT w.operation AS operation, w.day AS day, w.window_local AS last_seen, w.window_end AS last_end, w.seconds AS seconds,
        lead(w.window_local, 1, w.window_local) OVER (PARTITION BY w.operation ORDER BY w.window_local) AS next_seen,
        lead(w.window_start, 1, w.window_end) OVER (PARTITION BY w.operation ORDER BY w.window_local) AS next_start,
        lead(w.day, 1, w.day) OVER (PARTITION BY w.operation ORDER BY w.window_local) AS next_day
    FROM windows AS w
), lengths AS ( -- of a day's windows on the clock: the least step from one to the next, or what most of them take
    SELECT p.operation AS operation, p.day AS day,
        least(CAST(floor(median(p.seconds)) AS BIGINT), coalesce(min(CASE WHEN p.next_day = p.day AND p.next_seen > p.last_seen
            THEN date_diff('second', p.last_seen, p.next_seen) END), 86400)) AS length
    FROM pairs AS p
    GROUP BY p.operation, p.day
), gaps AS ( -- as the clock shows them, and as time passes
    SELECT p.operation AS operation, p.last_seen AS last_seen, p.next_seen AS next_seen, l.length AS length,
        date_diff('second', p.last_seen, p.next_seen) - l.length AS on_clock,
        date_diff('second', p.last_end, p.next_start) AS passed
    FROM pairs AS p
    JOIN lengths AS l ON l.operation = p.operation AND l.day = p.day
    WHERE p.day <= DATE '2026-11-30' AND p.next_day >= DATE '2026-10-01'
), counted AS ( -- less time passes where the clock skips; between windows of a repeated hour it runs backwards
    SELECT operation, last_seen, CASE WHEN next_seen > last_seen THEN next_seen END AS next_seen,
        CASE WHEN next_seen > last_seen
            THEN CAST(floor(CASE WHEN passed < 0 THEN on_clock ELSE least(on_clock, passed) END / length + 0.5) AS BIGINT)
        END AS missing
    FROM gaps
)
SELECT operation, last_seen, next_seen, missing
FROM counted
WHERE missing > 0 OR next_seen IS NULL
ORDER BY operation, last_seen;
