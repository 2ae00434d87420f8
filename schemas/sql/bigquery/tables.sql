-- BigQuery, the lake of Parquet files. Not run in the tests.
--
-- Put your lake in the place of LAKE, without a final slash: gs://BUCKET/PREFIX; wolkpipe is a data set in the bucket's
-- region, and has to exist. Then run views.sql. A bucket of S3 or Azure takes a connection of BigQuery Omni (WITH CONNECTION).
--
-- Columns are taken from the files. window_start, window_end and observed_at are TIMESTAMP; where window_local comes as
-- TIMESTAMP too, it is the wall clock shown as UTC: the views make it a DATETIME. Or: DATETIME(window_start, timezone).
--
-- A column that is added later: run the statement again, once it is in the newest files. Where the columns that BigQuery
-- finds lack it, list them all before WITH PARTITION COLUMNS; it is null in the older files.
CREATE OR REPLACE EXTERNAL TABLE wolkpipe.chat_7
WITH PARTITION COLUMNS (operation STRING, day DATE)
OPTIONS (format = 'PARQUET', uris = ['LAKE/chat_7/*'], hive_partition_uri_prefix = 'LAKE/chat_7', require_hive_partition_filter = false);

CREATE OR REPLACE EXTERNAL TABLE wolkpipe.chat_7_windows
WITH PARTITION COLUMNS (operation STRING, day DATE)
OPTIONS (format = 'PARQUET', uris = ['LAKE/chat_7_windows/*'], hive_partition_uri_prefix = 'LAKE/chat_7_windows', require_hive_partition_filter = false);

CREATE OR REPLACE EXTERNAL TABLE wolkpipe.activity_codes
WITH PARTITION COLUMNS (operation STRING)
OPTIONS (format = 'PARQUET', uris = ['LAKE/activity_codes/*'], hive_partition_uri_prefix = 'LAKE/activity_codes', require_hive_partition_filter = false);
