-- Spark SQL 3.4 and later, the lake of Iceberg tables. Not run in the tests.
--
-- In the place of tables.sql; then views.sql. The session needs the Iceberg runtime and, for a REST catalog:
--   spark.sql.catalog.lake=org.apache.iceberg.spark.SparkCatalog
--   spark.sql.catalog.lake.type=rest
--   spark.sql.catalog.lake.uri=https://CATALOG
--   spark.sql.catalog.lake.warehouse=WAREHOUSE
-- Added columns appear by themselves.
CREATE OR REPLACE TEMPORARY VIEW chat_7 AS SELECT * FROM lake.wolkpipe.chat_7;
CREATE OR REPLACE TEMPORARY VIEW chat_7_windows AS SELECT * FROM lake.wolkpipe.chat_7_windows;
CREATE OR REPLACE TEMPORARY VIEW activity_codes AS SELECT * FROM lake.wolkpipe.activity_codes;
