-- Athena, the lake of Iceberg tables in a Glue catalog. Not run in the tests.
--
-- The tables wolkpipe.chat_7 and wolkpipe.chat_7_windows are there as soon as Glue has them; nothing is to be defined but the
-- views of views.sql. window_start, window_end and observed_at are timestamps with time zone: window_start AT TIME ZONE timezone
-- is local. Added columns appear by themselves. A look at what is there:
SELECT operation, max(day) AS last_day, sum(interactions) AS interactions FROM wolkpipe.chat_7 GROUP BY operation;
