-- ---
-- id = "log_numbering"
-- title = "How the records of a log are numbered"
-- description = """One row a computer (place, lower case) and channel, over all files of the case: how many records, and the lowest and highest EventRecordID.
-- is_whole: each record is in a file whose record headers have the same numbers; in filtered exports they are numbered anew. Records from slack and carved ones are left out. has_conflict: one
-- EventRecordID is that of two records (record_conflict)."""
-- ---
WITH copy_in_log AS (SELECT DISTINCT event_key FROM file_record WHERE is_copy AND header_record_id = event_record_id),
conflicting AS (SELECT DISTINCT lower(computer) AS place, channel, true AS has_conflict FROM event_conflict JOIN event USING (event_key)),
by_name AS (
    SELECT computer, channel, count(*) AS records, min(event_record_id) AS first_number, max(event_record_id) AS last_number, bool_and(is_whole) AS is_whole
    FROM (SELECT computer, channel, event_record_id, coalesce(header_record_id = event_record_id, false) OR event_key IN (FROM copy_in_log) AS is_whole FROM event WHERE origin NOT IN ('carved', 'slack'))
    GROUP BY computer, channel
)
SELECT lower(computer) AS place, by_name.channel, sum(records)::BIGINT AS records, min(first_number) AS first_number, max(last_number) AS last_number,
    bool_and(is_whole) AS is_whole, bool_or(coalesce(has_conflict, false)) AS has_conflict
FROM by_name LEFT JOIN conflicting ON conflicting.place = lower(computer) AND conflicting.channel = by_name.channel
GROUP BY ALL
