-- DuckDB, the lake of Iceberg tables. Not run in the tests.
--
-- In the place of tables.sql; then views.sql. The tables have the same columns and the same names; operation and day
-- are columns of the files. A column that is added later is there for all files, null in the older ones.
-- With a REST catalog; WAREHOUSE, TOKEN and the address are yours:
INSTALL iceberg;
LOAD iceberg;
CREATE SECRET (TYPE iceberg, TOKEN 'TOKEN');
ATTACH 'WAREHOUSE' AS lake (TYPE iceberg, ENDPOINT 'https://CATALOG');

CREATE OR REPLACE VIEW chat_7 AS SELECT * FROM lake.wolkpipe.chat_7;
CREATE OR REPLACE VIEW chat_7_windows AS SELECT * FROM lake.wolkpipe.chat_7_windows;
CREATE OR REPLACE VIEW activity_codes AS SELECT * FROM lake.wolkpipe.activity_codes;

-- Without a REST catalog (SQLite, PostgreSQL), name a metadata file of the table in the place of each
-- lake.wolkpipe.NAME. It is one moment of the table, and has to be named anew to see what came since:
--   iceberg_scan('s3://WAREHOUSE/wolkpipe/chat_7/metadata/….metadata.json')
