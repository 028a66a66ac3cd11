-- ---
-- id = "record_hole"
-- title = "Holes in the numbering of records"
-- description = """One row a hole: EventRecordIDs of one computer's log that no log of the case holds (slack may: recovered_number), with the records before and after it. Filtered
-- exports are left out: they skip by design."""
-- ---
-- In a filtered export the record headers are numbered anew. A log that has as many records as numbers has no hole and need not be walked.
-- One log may write its computer's name in several ways. Where one number has two records, their count hides holes.
WITH uneven AS (
    SELECT place, channel FROM log_numbering
    WHERE is_whole AND (records <> last_number::HUGEINT - first_number + 1 OR has_conflict)
),
stepped AS (
    SELECT computer, host, channel, event_record_id AS next_number, event_time AS to_time, event_id AS next_event_id, event_key,
        lag(event_record_id) OVER one AS last_number, lag(event_time) OVER one AS from_time, lag(event_key) OVER one AS key_before
    FROM (SELECT event_key, event_record_id, event_time, event_id, computer, host, channel, lower(computer) AS place FROM event WHERE origin NOT IN ('carved', 'slack'))
        SEMI JOIN uneven USING (place, channel)
    WINDOW one AS (PARTITION BY place, channel ORDER BY event_record_id, event_key)
)
SELECT computer, host, channel, last_number, next_number, next_number - last_number - 1 AS missing, from_time, to_time, next_event_id, [key_before, event_key] AS event_keys
FROM stepped WHERE next_number > last_number AND next_number - last_number > 1
