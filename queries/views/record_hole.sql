-- ---
-- id = "record_hole"
-- title = "Holes in the numbering of records"
-- description = """One row a hole: EventRecordIDs of one computer's log that no log of the case holds (slack may: recovered_number), with the records before and after it. Filtered
-- exports are left out: they skip by design."""
-- ---
-- In a filtered export the record headers are numbered anew. A log that has as many records as numbers has no hole and need not be walked.
-- One log may write its computer's name in several ways.
WITH log AS (
    SELECT computer, channel, count(*) AS records, min(event_record_id) AS first_number, max(event_record_id) AS last_number,
        bool_and(coalesce(header_record_id = event_record_id, false)) AS is_whole
    FROM event WHERE origin NOT IN ('carved', 'slack') GROUP BY computer, channel
),
uneven AS (
    SELECT lower(computer) AS place, channel FROM log GROUP BY ALL
    HAVING bool_and(is_whole) AND sum(records) <> max(last_number)::HUGEINT - min(first_number) + 1
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
