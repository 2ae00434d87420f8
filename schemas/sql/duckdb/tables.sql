-- DuckDB, the lake of Parquet files. Run in the tests, with DuckDB 1.5.
--
-- Put your lake in the place of LAKE, without a final slash: a folder such as
-- /srv/wolkpipe/data/lake, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX.
-- A bucket needs credentials first, for example
--   INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain, REGION 'us-east-1');
-- Then run views.sql.
--
-- union_by_name: a column that a later version adds is there at once, null in the files that were written before.
-- To know all columns DuckDB then reads the footer of every file, of days that are not asked for too. Where that
-- takes long on a bucket of many years, narrow the pattern, or leave union_by_name out and keep the columns of the first file.
--
-- window_local is the wall clock as TIMESTAMP; window_start, window_end and observed_at are instants, shown in the
-- session's time zone: SET TimeZone = 'UTC';

CREATE OR REPLACE VIEW chat_7 AS
SELECT * FROM read_parquet('LAKE/chat_7/operation=*/day=*/chat_7.parquet',
    union_by_name = true, hive_partitioning = true, hive_types = {'operation': VARCHAR, 'day': DATE});

CREATE OR REPLACE VIEW chat_7_windows AS
SELECT * FROM read_parquet('LAKE/chat_7_windows/operation=*/day=*/chat_7_windows.parquet',
    union_by_name = true, hive_partitioning = true, hive_types = {'operation': VARCHAR, 'day': DATE});

-- While the lake has no folder activity_codes, DuckDB finds no file and says so. Run this in place of the next statement:
--   CREATE OR REPLACE VIEW activity_codes AS SELECT '' AS operation, '' AS cod_act, '' AS description_cod_act WHERE false;

CREATE OR REPLACE VIEW activity_codes AS
SELECT * FROM read_parquet('LAKE/activity_codes/operation=*/activity_codes.parquet',
    union_by_name = true, hive_partitioning = true, hive_types = {'operation': VARCHAR});
