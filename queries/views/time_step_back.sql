-- ---
-- id = "time_step_back"
-- title = "Steps back in time within a log"
-- description = """One row each pair of neighbours by EventRecordID, in one file's records of one computer and channel, of which the later record has the
-- earlier time. Threads write milliseconds apart: ask for steps of minutes."""
-- ---
SELECT source_file_id, computer, channel, last_number, event_record_id AS next_number, from_time, event_time AS to_time, from_time - event_time AS step_back,
    [key_before, event_key] AS event_keys
FROM (SELECT source_file_id, computer, channel, event_record_id, event_time, event_key,
          lag(event_record_id) OVER one AS last_number, lag(event_time) OVER one AS from_time, lag(event_key) OVER one AS key_before
      FROM file_record WHERE origin NOT IN ('carved', 'slack')
      WINDOW one AS (PARTITION BY source_file_id, computer, channel ORDER BY event_record_id, event_key))
WHERE event_time < from_time
