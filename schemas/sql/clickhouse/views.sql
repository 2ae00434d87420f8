-- ClickHouse, views over the tables of tables.sql or iceberg.sql. Run in the tests, with ClickHouse 26.7.

-- What agents closed: a row for each window, agent and code. hour and weekday (1 is Monday) are those of the wall
-- clock. description is the newest of the list of codes or, for a code that is not in it, the one that the answer had.
CREATE OR REPLACE VIEW interactions AS
SELECT r.operation, r.day, r.window_local, toHour(r.window_local) AS hour, toDayOfWeek(r.window_local) AS weekday,
    r.agent_name, r.cod_act, coalesce(c.description_cod_act, r.description_cod_act) AS description, r.interactions,
    r.window_start, r.window_end, r.timezone, r.method, r.observed_at
FROM chat_7 AS r
LEFT JOIN activity_codes AS c ON c.operation = r.operation AND c.cod_act = r.cod_act;

-- What was observed: a row for each window, empty ones included; a window that was never observed has none.
-- seconds is the time from its start to its end: more than its length in an hour that the clock repeats.
-- observed_after is how many seconds after its end its content was first answered.
CREATE OR REPLACE VIEW windows AS
SELECT w.operation, w.day, w.window_local, toHour(w.window_local) AS hour, toDayOfWeek(w.window_local) AS weekday,
    w.row_count, w.interactions, w.rejected_rows, w.dropped_rows, w.method, w.state,
    w.window_start, w.window_end, w.timezone, w.observed_at,
    date_diff('second', w.window_start, w.window_end) AS seconds,
    age('second', w.window_end, w.observed_at) AS observed_after
FROM chat_7_windows AS w;

-- Days: how much of each was observed. windows are those observed; late_windows have content that came a day or
-- more after their end: a correction, or a day that was filled later.
CREATE OR REPLACE VIEW days AS
SELECT w.operation, w.day, max(w.timezone) AS timezone,
    CASE WHEN count(*) = count(CASE WHEN w.state = 'settled' THEN 1 END) THEN 'settled' ELSE 'provisional' END AS state,
    count(*) AS windows, count(CASE WHEN w.row_count = 0 THEN 1 END) AS empty_windows,
    min(w.window_local) AS first_window, max(w.window_local) AS last_window,
    CAST(sum(w.row_count) AS BIGINT) AS row_count, CAST(sum(w.interactions) AS BIGINT) AS interactions,
    CAST(sum(w.rejected_rows) AS BIGINT) AS rejected_rows, CAST(sum(w.dropped_rows) AS BIGINT) AS dropped_rows,
    count(CASE WHEN w.observed_after >= 86400 THEN 1 END) AS late_windows, max(w.observed_at) AS observed_at
FROM windows AS w
GROUP BY w.operation, w.day;
