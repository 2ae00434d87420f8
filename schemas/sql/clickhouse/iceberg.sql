-- ClickHouse, the lake of Iceberg tables. Not run in the tests.
--
-- In the place of tables.sql; then views.sql. The tables have the same columns and the same names; operation and day
-- are columns of the files. A column that is added later is there for all files, null in the older ones.
-- With a REST catalog; the addresses, names and keys are yours:
SET allow_experimental_database_iceberg = 1;
CREATE DATABASE lake ENGINE = DataLakeCatalog('https://CATALOG/v1')
SETTINGS catalog_type = 'rest', warehouse = 'WAREHOUSE', storage_endpoint = 'https://s3.REGION.amazonaws.com/BUCKET',
    aws_access_key_id = 'KEY', aws_secret_access_key = 'SECRET';

CREATE OR REPLACE VIEW chat_7 AS SELECT * FROM lake.`wolkpipe.chat_7`;
CREATE OR REPLACE VIEW chat_7_windows AS SELECT * FROM lake.`wolkpipe.chat_7_windows`;
CREATE OR REPLACE VIEW activity_codes AS SELECT * FROM lake.`wolkpipe.activity_codes`;

-- Without a REST catalog, in the place of each lake.`wolkpipe.NAME`; the newest metadata file in the folder counts:
--   icebergS3('https://BUCKET.s3.REGION.amazonaws.com/WAREHOUSE/wolkpipe/chat_7/', 'KEY', 'SECRET')
--   icebergLocal('/WAREHOUSE/wolkpipe/chat_7/')
-- window_local is a timestamp without a zone, which ClickHouse shows in the session's: SET session_timezone = 'UTC'
-- before it is asked, so that the views' hours are those of the wall clock.
