-- BigQuery, the lake of Iceberg tables. Not run in the tests.
--
-- In the place of tables.sql; then views.sql. An external Iceberg table is one moment of it: put the newest metadata file
-- in the place of METADATA, and run the statement again to see what came since (a catalog in BigLake metastore does so
-- by itself). CONNECTION is a Cloud resource connection that may read the bucket.
CREATE OR REPLACE EXTERNAL TABLE wolkpipe.chat_7
WITH CONNECTION `PROJECT.REGION.CONNECTION`
OPTIONS (format = 'ICEBERG', uris = ['gs://BUCKET/WAREHOUSE/wolkpipe/chat_7/metadata/METADATA.metadata.json']);

CREATE OR REPLACE EXTERNAL TABLE wolkpipe.chat_7_windows
WITH CONNECTION `PROJECT.REGION.CONNECTION`
OPTIONS (format = 'ICEBERG', uris = ['gs://BUCKET/WAREHOUSE/wolkpipe/chat_7_windows/metadata/METADATA.metadata.json']);

CREATE OR REPLACE EXTERNAL TABLE wolkpipe.activity_codes
WITH CONNECTION `PROJECT.REGION.CONNECTION`
OPTIONS (format = 'ICEBERG', uris = ['gs://BUCKET/WAREHOUSE/wolkpipe/activity_codes/metadata/METADATA.metadata.json']);
