-- ---
-- id = "recovered_record"
-- title = "Records that were recovered, and what no log has any more"
-- description = """One row a record that was rescued from a damaged place, left in the slack of a chunk, or carved from a blob, those that no log
-- has any more first. kind: 'only here'; 'copy of a recovered record', which no log has either; 'copy of a live record'; 'live record' (rescued);
-- 'unreadable', with the reason. Slack is what an earlier state of the log left behind: it is in no order, and is not complete."""
-- [params.origin]
-- type = "string"
-- default = ""
-- description = "Only rescued, slack or carved ones"
-- [params.only_here]
-- type = "boolean"
-- default = false
-- description = "Only what no log of the case has"
-- ---
-- Table recovered_record is not all: of carved chunks it has what the fast parser left out, and of a log the first 100,000.
WITH recovered AS (
    SELECT source_file_id, origin, file_offset, header_record_id, written_time, state, reason, event_key FROM recovered_record
    UNION ALL
    SELECT source_file_id, origin, record_offset, header_record_id, written_time, 'whole', NULL, event_key
    FROM (
        SELECT source_file_id, origin, record_offset, header_record_id, written_time, event_key FROM event
        UNION ALL
        SELECT source_file_id, origin, record_offset, header_record_id, NULL, event_key FROM event_copy
        WHERE source_file_id NOT IN (SELECT source_file_id FROM source_file WHERE copy_of IS NOT NULL)
    ) AS seen
    WHERE origin IN ('carved', 'rescued', 'slack') AND NOT EXISTS (FROM recovered_record AS listed
        WHERE listed.source_file_id = seen.source_file_id AND listed.file_offset = seen.record_offset)
),
told AS (
    SELECT recovered.*, event.event_time, event.computer, event.channel, event.event_id, event.event_data,
        CASE WHEN event.event_key IS NULL THEN 'unreadable'
             WHEN recovered.origin = 'rescued' THEN 'live record'
             WHEN event.origin IN ('live', 'rescued') OR EXISTS (FROM event_copy WHERE event_copy.event_key = event.event_key
                 AND event_copy.origin IN ('live', 'rescued')) THEN 'copy of a live record'
             WHEN EXISTS (FROM event_copy WHERE event_copy.event_key = event.event_key AND event_copy.source_file_id = recovered.source_file_id
                 AND event_copy.record_offset IS NOT DISTINCT FROM recovered.file_offset AND event_copy.origin = recovered.origin) THEN 'copy of a recovered record'
             ELSE 'only here' END AS kind
    FROM recovered LEFT JOIN event ON event.event_key = recovered.event_key
    WHERE $origin = '' OR recovered.origin = $origin
)
SELECT event_time, told.origin, kind, state, coalesce(told.computer, source_file.computer) AS computer,
    coalesce(told.channel, source_file.channel) AS channel, event_id, words AS citation, excerpt(event_data, 200) AS text,
    header_record_id, written_time, reason, path, file_offset, event_key
FROM told JOIN source_file USING (source_file_id) LEFT JOIN citation USING (event_key)
WHERE NOT $only_here OR kind IN ('only here', 'copy of a recovered record')
ORDER BY list_position(['only here', 'copy of a recovered record', 'copy of a live record', 'live record', 'unreadable'], kind),
    coalesce(event_time, written_time), source_file_id, file_offset, event_key
