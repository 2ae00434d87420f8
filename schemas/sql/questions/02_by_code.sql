-- With which codes were interactions closed: how many, what share, by how many agents?
-- Runs in DuckDB and ClickHouse over the views. Change the days, both included.
WITH asked AS (
    SELECT * FROM interactions WHERE day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
)
SELECT a.operation AS operation, a.cod_act AS cod_act, max(a.description) AS described,
    sum(a.interactions) AS closed,
    count(DISTINCT a.agent_name) AS agents,
    round(100.0 * sum(a.interactions) / sum(sum(a.interactions)) OVER (PARTITION BY a.operation), 1) AS percent
FROM asked AS a
GROUP BY a.operation, a.cod_act
ORDER BY operation, closed DESC, cod_act;
