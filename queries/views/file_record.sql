-- ---
-- id = "file_record"
-- title = "The records of each file"
-- description = """One row a record and file that holds it: where a record is in several files, event has it once, and this has it once for each, all
-- with the event_key of that event. Number and offset are those of the file. Files whose whole content is that of another have no rows: see copy_of."""
-- ---
SELECT source_file_id, event_key, false AS is_copy, origin, header_record_id, record_offset, event_record_id, event_time, computer, channel
FROM event
UNION ALL
SELECT event_copy.source_file_id, event_key, true, event_copy.origin, event_copy.header_record_id, event_copy.record_offset, event_record_id, event_time,
    event.computer, event.channel
FROM event_copy JOIN event USING (event_key) JOIN source_file ON source_file.source_file_id = event_copy.source_file_id
WHERE copy_of IS NULL
