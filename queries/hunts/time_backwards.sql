-- ---
-- id = "time_backwards"
-- title = "Records whose time goes back while their number rises"
-- description = """Where a log's clock was set back: each pair of neighbours in one file of which the later record has the earlier time. After a boot the
-- hardware's clock, and on virtual machines the host's, does the same; clock_changed shows who did it where that is logged."""
-- [params.min_minutes]
-- type = "integer"
-- default = 5
-- description = "Only steps back of so many minutes at least; records of several threads lie milliseconds apart"
-- ---
SELECT computer, channel, last_number, event_record_id AS next_number, from_time, event_time AS to_time, from_time - event_time AS step_back, [key_before, event_key] AS event_keys
FROM (SELECT *, lag(event_record_id) OVER one AS last_number, lag(event_time) OVER one AS from_time, lag(event_key) OVER one AS key_before
      FROM event WINDOW one AS (PARTITION BY source_file_id, computer, channel ORDER BY event_record_id, event_key))
WHERE event_time < from_time - to_minutes($min_minutes)
ORDER BY step_back DESC, event_keys
