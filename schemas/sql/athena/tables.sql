-- Athena, the lake of Parquet files. Not run in the tests.
--
-- Put your lake in the place of LAKE, without a final slash: s3://BUCKET/PREFIX. Put your operations in the place of
-- ventas,soporte, and your first day in that of 2026-01-01: Athena then computes which days there are, and nothing is to be
-- loaded when a new day begins (NOW is in UTC; the day ahead is for zones ahead of it). Run one statement at a time,
-- then views.sql.
--
-- day is a text, 2026-11-01, in these tables and a date in the views. window_local is the wall clock; window_start,
-- window_end and observed_at read as UTC: with_timezone(window_start, 'UTC') AT TIME ZONE timezone is local, with its offset.
--
-- A column that is added later: ALTER TABLE wolkpipe.chat_7 ADD COLUMNS (channel string); it is null in the older files.
CREATE DATABASE IF NOT EXISTS wolkpipe;

CREATE EXTERNAL TABLE IF NOT EXISTS wolkpipe.chat_7 (
    window_start timestamp, window_end timestamp, window_local timestamp, timezone string,
    agent_name string, cod_act string, description_cod_act string, interactions bigint, method string, observed_at timestamp
)
PARTITIONED BY (operation string, day string)
STORED AS PARQUET LOCATION 'LAKE/chat_7/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.operation.type' = 'enum', 'projection.operation.values' = 'ventas,soporte',
    'projection.day.type' = 'date', 'projection.day.format' = 'yyyy-MM-dd', 'projection.day.range' = '2026-01-01,NOW+1DAYS',
    'storage.location.template' = 'LAKE/chat_7/operation=${operation}/day=${day}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS wolkpipe.chat_7_windows (
    window_start timestamp, window_end timestamp, window_local timestamp, timezone string,
    observed_at timestamp, method string, state string, row_count bigint, interactions bigint, rejected_rows bigint, dropped_rows bigint
)
PARTITIONED BY (operation string, day string)
STORED AS PARQUET LOCATION 'LAKE/chat_7_windows/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.operation.type' = 'enum', 'projection.operation.values' = 'ventas,soporte',
    'projection.day.type' = 'date', 'projection.day.format' = 'yyyy-MM-dd', 'projection.day.range' = '2026-01-01,NOW+1DAYS',
    'storage.location.template' = 'LAKE/chat_7_windows/operation=${operation}/day=${day}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS wolkpipe.activity_codes (
    cod_act string, description_cod_act string, hit string, rpc string, chat string, voice string, type_code string,
    first_seen_at timestamp, last_seen_at timestamp
)
PARTITIONED BY (operation string)
STORED AS PARQUET LOCATION 'LAKE/activity_codes/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.operation.type' = 'enum', 'projection.operation.values' = 'ventas,soporte',
    'storage.location.template' = 'LAKE/activity_codes/operation=${operation}/'
);
