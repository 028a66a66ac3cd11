-- ---
-- id = "record_gap"
-- title = "Holes in the numbering of records"
-- description = """Where EventRecordIDs of a log skip numbers, how many, and what time lies between: a log that was filtered, cut or tampered with. Filtered exports are left out."""
-- [params.min_missing]
-- type = "integer"
-- default = 1
-- description = "Only holes of so many records at least"
-- ---
-- In a filtered export the record headers are numbered anew, so that its holes mean nothing.
WITH numbered AS (
    SELECT lower(computer) AS computer, channel, event_record_id::BIGINT AS number, event_time, event_key,
        bool_and(coalesce(header_record_id = event_record_id, false)) OVER (PARTITION BY lower(computer), channel) AS is_whole
    FROM event
),
stepped AS (
    SELECT *, lag(number) OVER one AS before, lag(event_time) OVER one AS time_before, lag(event_key) OVER one AS key_before
    FROM numbered WHERE is_whole WINDOW one AS (PARTITION BY computer, channel ORDER BY number, event_key)
)
SELECT computer, channel, before AS last_number, number AS next_number, number - before - 1 AS missing, time_before AS from_time, event_time AS to_time,
    [key_before, event_key] AS event_keys
FROM stepped
WHERE number - before - 1 >= $min_missing
ORDER BY missing DESC, computer, channel, before
