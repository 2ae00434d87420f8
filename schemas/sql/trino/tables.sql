-- Trino, the lake of Parquet files, with the Hive connector. Not run in the tests.
--
-- Put your lake in the place of LAKE, without a final slash: s3://BUCKET/PREFIX, gs://… or abfs://…; hive is the name of
-- the catalog. Then run views.sql.
--
-- timestamp(3) is the connector's own precision. For microseconds in observed_at set hive.timestamp-precision to
-- MICROSECONDS and write timestamp(6) for each. window_local is the wall clock; window_start, window_end and
-- observed_at read as UTC: with_timezone(window_start, 'UTC') AT TIME ZONE timezone is local, with its offset.
--
-- A column that is added later: ALTER TABLE hive.wolkpipe.chat_7 ADD COLUMN channel varchar; it is null in the older files.
CREATE SCHEMA IF NOT EXISTS hive.wolkpipe;

CREATE TABLE IF NOT EXISTS hive.wolkpipe.chat_7 (
    window_start timestamp(3), window_end timestamp(3), window_local timestamp(3), timezone varchar,
    agent_name varchar, cod_act varchar, description_cod_act varchar, interactions bigint, method varchar, observed_at timestamp(3),
    operation varchar, day date
) WITH (external_location = 'LAKE/chat_7', format = 'PARQUET', partitioned_by = ARRAY['operation', 'day']);

CREATE TABLE IF NOT EXISTS hive.wolkpipe.chat_7_windows (
    window_start timestamp(3), window_end timestamp(3), window_local timestamp(3), timezone varchar,
    observed_at timestamp(3), method varchar, state varchar, row_count bigint, interactions bigint, rejected_rows bigint,
    dropped_rows bigint, operation varchar, day date
) WITH (external_location = 'LAKE/chat_7_windows', format = 'PARQUET', partitioned_by = ARRAY['operation', 'day']);

CREATE TABLE IF NOT EXISTS hive.wolkpipe.activity_codes (
    cod_act varchar, description_cod_act varchar, hit varchar, rpc varchar, chat varchar, voice varchar, type_code varchar,
    first_seen_at timestamp(3), last_seen_at timestamp(3), operation varchar
) WITH (external_location = 'LAKE/activity_codes', format = 'PARQUET', partitioned_by = ARRAY['operation']);

-- The connector sees only the days that it has been told of: once now, and again after midnight.
CALL hive.system.sync_partition_metadata('wolkpipe', 'chat_7', 'FULL');
CALL hive.system.sync_partition_metadata('wolkpipe', 'chat_7_windows', 'FULL');
CALL hive.system.sync_partition_metadata('wolkpipe', 'activity_codes', 'FULL');
USE hive.wolkpipe;
