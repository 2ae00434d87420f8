-- Spark SQL 3.4 and later, the lake of Parquet files. Not run in the tests.
--
-- Put your lake in the place of LAKE, without a final slash: s3a://BUCKET/PREFIX, gs://…, abfss://… or a folder. Then run
-- views.sql. The views last as long as the session; REFRESH TABLE chat_7 makes one see files that came since.
--
-- window_local is a TIMESTAMP_NTZ, the wall clock; window_start, window_end and observed_at are instants, shown in the
-- session's zone: SET spark.sql.session.timeZone = UTC; or from_utc_timestamp(window_start, timezone).
--
-- mergeSchema: a column that a later version adds is there at once, null in the files that were written before.
CREATE OR REPLACE TEMPORARY VIEW chat_7 USING parquet
OPTIONS (path 'LAKE/chat_7', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW chat_7_windows USING parquet
OPTIONS (path 'LAKE/chat_7_windows', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW activity_codes USING parquet
OPTIONS (path 'LAKE/activity_codes', mergeSchema 'true');
