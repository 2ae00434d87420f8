-- ClickHouse, the lake of Parquet files. Run in the tests, with ClickHouse 26.7 (settings as they come).
--
-- Put your lake in the place of LAKE, without a final slash: a folder (of a server: below its user_files). For a
-- bucket, write in place of file('LAKE/…', 'Parquet', …)
--   s3('https://BUCKET.s3.REGION.amazonaws.com/PREFIX/…', 'KEY', 'SECRET', 'Parquet', …)
--   gcs('https://storage.googleapis.com/BUCKET/PREFIX/…', 'HMAC KEY', 'HMAC SECRET', 'Parquet', …)
--   azureBlobStorage('CONNECTION STRING', 'CONTAINER', 'PREFIX/…', 'Parquet', 'none', …)
-- or a named collection that keeps the credentials out of the view. Then run views.sql.
--
-- A column that a later version adds: append it to the list of columns, as Nullable. It is null in the files that
-- were written before, and files of any version are read together; columns that are not in the list are left out.
--
-- ClickHouse has no local timestamps: window_local is the wall clock in a column that says UTC. Leave it in UTC.

CREATE OR REPLACE VIEW chat_7 AS
SELECT * FROM file('LAKE/chat_7/operation=*/day=*/chat_7.parquet', 'Parquet',
    'window_start DateTime64(6, ''UTC''), window_end DateTime64(6, ''UTC''), window_local DateTime64(6, ''UTC''), timezone String,
     agent_name String, cod_act String, description_cod_act Nullable(String), interactions Int64, method String,
     observed_at DateTime64(6, ''UTC''), operation String, day Date');

CREATE OR REPLACE VIEW chat_7_windows AS
SELECT * FROM file('LAKE/chat_7_windows/operation=*/day=*/chat_7_windows.parquet', 'Parquet',
    'window_start DateTime64(6, ''UTC''), window_end DateTime64(6, ''UTC''), window_local DateTime64(6, ''UTC''), timezone String,
     observed_at DateTime64(6, ''UTC''), method String, state String, row_count Int64, interactions Int64, rejected_rows Int64,
     dropped_rows Int64, operation String, day Date');

CREATE OR REPLACE VIEW activity_codes AS
SELECT * FROM file('LAKE/activity_codes/operation=*/activity_codes.parquet', 'Parquet',
    'cod_act Nullable(String), description_cod_act Nullable(String), hit Nullable(String), rpc Nullable(String), chat Nullable(String),
     voice Nullable(String), type_code Nullable(String), first_seen_at DateTime64(6, ''UTC''), last_seen_at DateTime64(6, ''UTC''),
     operation String');
