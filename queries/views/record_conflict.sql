-- ---
-- id = "record_conflict"
-- title = "Two records under one number"
-- description = """One row a pair of records of one computer and log with the same EventRecordID that are not the same: both, side by side, and which columns
-- differ. With another time the log was counted from 1 again or the computer put back to an earlier state; with the same time one of them was changed,
-- or is damaged. is_comparable: both are live records of logs whose checksums fit, under the numbers that the log gave them; exports and logs of
-- forwarded events, which hold values as text, number anew."""
-- ---
WITH pair AS (
    SELECT one, other,
        one.origin = 'live' AND other.origin = 'live' AND one.header_record_id = one.event_record_id AND other.header_record_id = other.event_record_id AS is_live
    FROM event_conflict JOIN event AS one USING (event_key) JOIN event AS other ON other.event_key = other_event_key
)
SELECT one.computer, one.channel, one.event_record_id, one.event_time IS NOT DISTINCT FROM other.event_time AS is_same_time,
    coalesce(is_live AND log.chunk_crc_mismatches = 0 AND other_log.chunk_crc_mismatches = 0, false) AND log.is_header_crc_valid IS NOT NULL
        AND other_log.is_header_crc_valid IS NOT NULL AS is_comparable,
    list_filter([
        CASE WHEN one.event_time IS DISTINCT FROM other.event_time THEN 'event_time' END,
        CASE WHEN one.provider IS DISTINCT FROM other.provider OR one.provider_guid IS DISTINCT FROM other.provider_guid
            OR one.event_source_name IS DISTINCT FROM other.event_source_name THEN 'provider' END,
        CASE WHEN one.event_id IS DISTINCT FROM other.event_id OR one.qualifiers IS DISTINCT FROM other.qualifiers OR one.version IS DISTINCT FROM other.version
            THEN 'event_id' END,
        CASE WHEN (one.level, one.task, one.opcode, one.keywords) IS DISTINCT FROM (other.level, other.task, other.opcode, other.keywords) THEN 'level, task, opcode or keywords' END,
        CASE WHEN one.user_sid IS DISTINCT FROM other.user_sid THEN 'user_sid' END,
        CASE WHEN (one.process_id, one.thread_id, one.execution_data) IS DISTINCT FROM (other.process_id, other.thread_id, other.execution_data) THEN 'process or thread' END,
        CASE WHEN (one.activity_id, one.related_activity_id) IS DISTINCT FROM (other.activity_id, other.related_activity_id) THEN 'activity_id' END,
        CASE WHEN one.event_data IS DISTINCT FROM other.event_data THEN 'event_data' END
    ], lambda name: name IS NOT NULL) AS differs,
    one.event_key, other.event_key AS other_event_key, one.event_time, other.event_time AS other_event_time, one.event_id, other.event_id AS other_event_id,
    concat_ws('!', log.container, log.path) AS path, concat_ws('!', other_log.container, other_log.path) AS other_path, one.event_data, other.event_data AS other_event_data
FROM pair JOIN source_file AS log ON log.source_file_id = one.source_file_id
    JOIN source_file AS other_log ON other_log.source_file_id = other.source_file_id
ORDER BY one.computer, one.channel, one.event_record_id, other.event_key
