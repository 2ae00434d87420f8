-- Which agents close the largest share of their interactions with one code? Of those who closed at least 20.
-- Runs in DuckDB and ClickHouse over the views. Change the code, and the days, both included.
WITH closed AS (
    SELECT i.operation AS operation, i.agent_name AS agent_name, sum(i.interactions) AS closed,
        sum(CASE WHEN i.cod_act = 'TIMEOUTCHAT' THEN i.interactions ELSE 0 END) AS with_code
    FROM interactions AS i
    WHERE i.day BETWEEN DATE '2026-10-01' AND DATE '2026-11-30'
    GROUP BY i.operation, i.agent_name
)
SELECT operation, agent_name, closed, with_code, round(100.0 * with_code / closed, 1) AS percent
FROM closed
WHERE closed >= 20
ORDER BY operation, 1.0 * with_code / closed DESC, agent_name;
