-- What are the totals of each operation's days, days without interactions included?
-- difference is what the coverage tells less what the rows sum to: 0, unless a day is being replaced just now.
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included, in both places.
WITH closed AS (
    SELECT i.operation AS operation, i.day AS day, sum(i.interactions) AS interactions, count(*) AS found,
        count(DISTINCT i.agent_name) AS agents, count(DISTINCT i.cod_act) AS codes
    FROM interactions AS i
    WHERE i.day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
    GROUP BY i.operation, i.day
)
SELECT d.operation AS operation, d.day AS day, d.windows AS observed_windows, d.empty_windows AS empty_windows,
    d.row_count AS row_count, d.interactions AS closed, coalesce(c.agents, 0) AS agents, coalesce(c.codes, 0) AS codes,
    d.interactions - coalesce(c.interactions, 0) AS difference
FROM days AS d
LEFT JOIN closed AS c ON c.operation = d.operation AND c.day = d.day
WHERE d.day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
ORDER BY operation, day;
