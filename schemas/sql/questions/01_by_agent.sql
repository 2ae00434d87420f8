-- What did each agent close: how many interactions, with how many codes, on how many days, and what share is that?
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included.
WITH asked AS (
    SELECT * FROM interactions WHERE day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
)
SELECT a.operation AS operation, a.agent_name AS agent_name,
    sum(a.interactions) AS closed,
    count(DISTINCT a.cod_act) AS codes,
    count(DISTINCT a.day) AS days,
    round(100.0 * sum(a.interactions) / sum(sum(a.interactions)) OVER (PARTITION BY a.operation), 1) AS percent
FROM asked AS a
GROUP BY a.operation, a.agent_name
ORDER BY operation, closed DESC, agent_name;
