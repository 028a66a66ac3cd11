-- ---
-- id = "log_integrity"
-- title = "What speaks against the wholeness of a log"
-- description = """One row a log and reason. severity: 'remark' is ordinary and nothing follows from it alone; 'notable' means that something is missing,
-- damaged or contradicts itself, as happens without anyone's intent; 'serious' that content was taken out, or looks so. meaning says what was found,
-- innocent_causes what else than tampering leads to it: a row is a question to ask, no verdict. occurrences counts the records, chunks, holes, steps or
-- clearings; event_keys are the records behind it (of many holes or steps, those of the ten widest). Copies have the rows of their original.
-- It speaks of the logs as they stand, never of records from slack or carved. A log without rows has none of this. No row can tell that a log is genuine: who writes a whole new file leaves none."""
-- ---
WITH log AS (SELECT * REPLACE (coalesce(is_dirty, false) AS is_dirty), is_dirty IS NOT NULL AS has_header FROM source_file WHERE copy_of IS NULL),
held AS (
    SELECT source_file_id, count(*) AS records, max(event_time) AS last_time, count(*) FILTER (header_record_id <> event_record_id) AS renumbered,
        -- An export counts its records from 1 and is closed: once the two numbers part, the header's stays the smaller one.
        renumbered = count(*) OR renumbered > 0 AND NOT any_value(is_dirty) AND bool_and(header_record_id <= event_record_id) AND min(header_record_id) FILTER (header_record_id <> event_record_id)
            > max(header_record_id) FILTER (header_record_id = event_record_id) AS is_export
    FROM file_record JOIN log USING (source_file_id) WHERE origin NOT IN ('carved', 'slack') GROUP BY ALL
),
-- The reasons are those that the reader of logs gives (evtxhunt/parse.py).
lost AS (
    SELECT source_file_id,
        count(*) FILTER (scope = 'record' AND reason = 'the chunk header counts it but its record header is gone') AS gone,
        count(*) FILTER (scope = 'chunk' AND NOT starts_with(reason, 'file ends')) AS parts,
        min(reason) FILTER (starts_with(reason, 'file ends')) AS end_reason,
        min(reason) FILTER (scope = 'file' AND (starts_with(reason, 'the file changed') OR starts_with(reason, 'reading stopped'))) AS disturbance,
        max(header_record_id) AS last_id
    FROM parse_failure GROUP BY ALL
),
span AS (
    SELECT source_file_id, coalesce(lower(computer), '') AS place, channel, min(event_record_id) AS first_number, max(event_record_id) AS final_number
    FROM file_record WHERE origin NOT IN ('carved', 'slack') GROUP BY ALL
),
-- Where record_hole does not look: one record that only files numbered anew have is enough.
unjudged AS (SELECT coalesce(place, '') AS place, channel FROM log_numbering WHERE NOT is_whole),
clearing AS (
    SELECT file_record.source_file_id, lower(log_cleared.computer) AS place, log_cleared.channel, cleared_channel, log_cleared.event_time, user_name, log_cleared.event_key
    FROM log_cleared JOIN file_record USING (event_key)
),
-- The log that a clearing emptied: the file that holds the record, and other files of that log with records from after it.
emptied AS (
    SELECT source_file_id, cleared_channel, true AS is_own, event_time, user_name, event_key FROM clearing WHERE cleared_channel = channel
    UNION ALL
    SELECT log.source_file_id, cleared_channel, true, event_time, user_name, event_key
    FROM clearing JOIN log ON lower(log.computer) = place AND log.channel = cleared_channel AND log.source_file_id <> clearing.source_file_id
    JOIN held ON held.source_file_id = log.source_file_id AND NOT is_export AND last_time >= event_time
    UNION ALL
    SELECT source_file_id, cleared_channel, false, event_time, user_name, event_key FROM clearing WHERE cleared_channel IS DISTINCT FROM channel
),
-- A hole is inside each file that has records on both sides of it, else between files: then the later one is named.
hole AS (
    SELECT coalesce(span.source_file_id, after.source_file_id) AS source_file_id, span.source_file_id IS NOT NULL AS is_inside,
        coalesce(lower(record_hole.computer), '') AS place, record_hole.channel, last_number, next_number, missing, from_time, to_time, event_keys
    FROM record_hole JOIN event AS after ON after.event_key = event_keys[2]
        LEFT JOIN span ON span.place = coalesce(lower(record_hole.computer), '') AND span.channel = record_hole.channel
            AND first_number <= last_number AND final_number >= next_number
),
-- Of what a hole lacks, records that the chunks' accounts have as failed are no riddle.
accounted AS (
    SELECT hole.source_file_id, next_number, count(DISTINCT header_record_id) AS failed
    FROM (FROM parse_failure WHERE scope = 'record') AS failure
        ASOF JOIN hole ON failure.source_file_id = hole.source_file_id AND failure.header_record_id > hole.last_number
    WHERE header_record_id < next_number GROUP BY ALL
),
-- Nor are those before a clearing.
riddle AS (
    SELECT hole.*, missing - coalesce(failed, 0) AS unexplained
    FROM hole LEFT JOIN accounted USING (source_file_id, next_number)
        ASOF LEFT JOIN (FROM clearing WHERE event_time IS NOT NULL AND cleared_channel IS NOT NULL) AS clearing
            ON hole.place = clearing.place AND hole.channel = clearing.cleared_channel AND hole.to_time >= clearing.event_time
    WHERE missing > coalesce(failed, 0) AND coalesce(clearing.event_time < hole.from_time, true)
),
-- Each record of a conflict in each file that has it, against each file that has the other.
conflict AS (
    SELECT own.source_file_id, own_key, other_key, CASE WHEN NOT is_same_time THEN 'number_used_again' WHEN is_comparable THEN 'content_differs_checksums_fit' ELSE 'content_differs' END AS reason,
        differs, concat_ws('!', log.container, log.path) AS other_path, log.source_file_id = own.source_file_id AS is_inside
    FROM (SELECT event_key AS own_key, other_event_key AS other_key, is_same_time, is_comparable, differs FROM record_conflict
          UNION ALL SELECT other_event_key, event_key, is_same_time, is_comparable, differs FROM record_conflict)
        JOIN file_record AS own ON own.event_key = own_key JOIN file_record AS other ON other.event_key = other_key
        JOIN log ON log.source_file_id = other.source_file_id
),
-- Records from slack that are copies of what a log has.
in_log AS (
    SELECT event_copy.source_file_id, count(*) AS copies FROM event_copy JOIN event USING (event_key)
    WHERE event_copy.origin = 'slack' AND event.origin NOT IN ('carved', 'slack') GROUP BY ALL
),
found(source_file_id, reason, occurrences, meaning, event_keys) AS (
    -- Several files may hold the record of one clearing.
    SELECT source_file_id, CASE WHEN is_own THEN 'log_cleared' ELSE 'other_log_cleared' END, count(DISTINCT concat_ws(' ', event_time, cleared_channel)),
        CASE WHEN is_own THEN 'cleared ' ELSE 'holds the record that ' || name_list(list(DISTINCT coalesce(cleared_channel, 'a log without a name')), 3) || ' was cleared ' END
            || show_span(min(event_time), max(event_time))
            || coalesce(' by ' || name_list(list(DISTINCT user_name) FILTER (user_name IS NOT NULL), 3), '')
            || ': what was in it before is gone unless it was archived',
        list_sort(list(DISTINCT event_key))
    FROM emptied GROUP BY source_file_id, is_own
    UNION ALL
    SELECT source_file_id, CASE WHEN chunk_crc_mismatches = 0 AND is_header_crc_valid IS NOT NULL THEN 'records_gone_checksums_fit' ELSE 'records_gone' END, gone,
        counted(gone, 'record') || CASE WHEN gone = 1 THEN ' is' ELSE ' are' END || ' counted by the chunk headers and not there'
            || CASE WHEN chunk_crc_mismatches > 0 THEN '; checksums of ' || counted(chunk_crc_mismatches, 'chunk') || ' do not fit, as after damage'
                    WHEN is_header_crc_valid IS NOT NULL THEN ', though the checksums of all chunks fit: so it is when a record is taken out, or covered by another one, and the checksums are made anew'
                    ELSE '; there are no checksums that would tell damage from a change' END,
        []
    FROM log JOIN lost USING (source_file_id) WHERE gone > 0
    UNION ALL
    SELECT source_file_id, 'records_unreadable', failed - coalesce(gone, 0), counted(failed - coalesce(gone, 0), 'record') || ' could not be read: table parse_failure has each', []
    FROM log LEFT JOIN lost USING (source_file_id) WHERE failed > coalesce(gone, 0)
    UNION ALL
    SELECT source_file_id, 'records_rescued', rescued, counted(rescued, 'record') || CASE WHEN rescued = 1 THEN ' was' ELSE ' were' END
        || ' left out by the fast parser and read one by one: table recovered_record has each, and whether its template is from elsewhere', []
    FROM log WHERE rescued > 0
    UNION ALL
    SELECT source_file_id, 'older_records_in_slack', slack, counted(slack, 'record') || ' of older content of its chunks ' || CASE WHEN slack = 1 THEN 'is' ELSE 'are' END
        || ' still in their free space; ' || CASE WHEN copies = slack THEN 'all of them are in a log of the case as well' ELSE slack - coalesce(copies, 0) || ' of them in no log of the case (query recovered_record)' END, []
    FROM log LEFT JOIN in_log USING (source_file_id) WHERE slack > 0
    UNION ALL
    SELECT source_file_id, 'part_unreadable', parts, counted(parts, 'place') || ' in the file without the headers that are due there: how many records were there cannot be told', []
    FROM lost WHERE parts > 0
    UNION ALL
    SELECT source_file_id, 'file_cut_off', 1, coalesce(end_reason, 'the file ends inside a chunk') || ': what came after is not there', []
    FROM log LEFT JOIN lost USING (source_file_id) WHERE end_reason IS NOT NULL
    UNION ALL
    SELECT source_file_id, 'reading_disturbed', 1, disturbance || '; hash and records may be of different states', [] FROM lost WHERE disturbance IS NOT NULL
    UNION ALL
    SELECT source_file_id, 'checksum_mismatch', chunk_crc_mismatches,
        'the checksums of ' || counted(chunk_crc_mismatches, 'chunk') || ' of ' || chunks || ' do not fit what is in them', []
    FROM log WHERE chunk_crc_mismatches > 0
    UNION ALL
    SELECT source_file_id, 'header_checksum_mismatch', 1, 'the checksum of the file header does not fit what is in it', []
    FROM log WHERE NOT is_header_crc_valid
    UNION ALL
    SELECT source_file_id, 'no_checksums', 1, 'the file says that it has no checksums: a change of its bytes would not show', []
    FROM log WHERE is_header_crc_valid IS NULL AND has_header
    UNION ALL
    SELECT source_file_id, 'not_closed', 1, 'marked as open when it was copied'
            || CASE WHEN last_header_record_id >= next_header_record_id
                THEN ': its header knows of records before #' || next_header_record_id || ' only, those up to #' || last_header_record_id || ' were found all the same' ELSE '' END,
        []
    FROM log WHERE is_dirty
    UNION ALL
    SELECT source_file_id, 'header_behind', 1,
        'marked as closed, its header calls #' || next_header_record_id || ' the next record, and there are records up to #' || last_header_record_id, []
    FROM log WHERE NOT is_dirty AND is_header_crc_valid IS DISTINCT FROM false AND next_header_record_id <= last_header_record_id
    UNION ALL
    SELECT source_file_id, 'header_ahead', 1, 'its header calls #' || next_header_record_id || ' the next record, and '
            || coalesce('the last one is #' || greatest(last_header_record_id, last_id), 'there is none')
            || ': records at its end are not in the file'
            || CASE WHEN parts > 0 OR end_reason IS NOT NULL THEN ', parts of which cannot be read or are cut off' ELSE '' END,
        []
    FROM log LEFT JOIN lost USING (source_file_id)
    WHERE is_header_crc_valid IS DISTINCT FROM false AND next_header_record_id > coalesce(greatest(last_header_record_id, last_id), 0)::HUGEINT + 1
    UNION ALL
    SELECT source_file_id, CASE WHEN is_inside THEN 'records_missing' ELSE 'records_missing_between_logs' END, count(*),
        counted(sum(unexplained), 'EventRecordID') || ' between #' || min(last_number) || ' and #' || max(next_number) || ' (' || show_span(min(from_time), max(to_time)) || '), in '
            || counted(count(*), 'hole') || ', ' || CASE WHEN sum(unexplained) = 1 THEN 'is' ELSE 'are' END || ' in no file of the case'
            || coalesce((SELECT '; slack or carved chunks have ' || count(*) || ' of the numbers in between' FROM recovered_number AS old
                WHERE old.computer = lower(any_value(log.computer)) AND old.channel = any_value(log.channel)
                    AND event_record_id BETWEEN min(last_number) AND max(next_number) HAVING count(*) > 0), '')
            || CASE WHEN any_value(status) = 'damaged' THEN '; this file is damaged, which may be why' ELSE '' END,
        list_sort(list_distinct(flatten(arg_max(event_keys, (missing, -event_keys[2]), 10))))
    FROM riddle JOIN log USING (source_file_id) GROUP BY source_file_id, is_inside
    UNION ALL
    SELECT source_file_id, 'numbered_anew', renumbered, 'the headers of ' || counted(renumbered, 'record') || ' have other numbers than EventRecordID, as in exports and logs of forwarded'
            || ' events: what was left out, by a filter or by someone, cannot be told by holes', []
    FROM held WHERE is_export
    UNION ALL
    SELECT source_file_id, 'numbers_disagree', renumbered, 'the headers of ' || renumbered || ' of ' || counted(records, 'record') || ' have another number than EventRecordID, in a way'
            || ' that no export has', []
    FROM held WHERE renumbered > 0 AND NOT is_export
    UNION ALL
    SELECT source_file_id, 'holes_not_judged', 1, 'the case has records of this log, here or in another file, whose headers are numbered otherwise: holes in the numbering were not looked for', []
    FROM log JOIN held USING (source_file_id) JOIN unjudged ON lower(log.computer) = place AND log.channel = unjudged.channel
    WHERE NOT is_export
    UNION ALL
    SELECT source_file_id, 'time_backwards', count(*), counted(count(*), 'time') || ' a record is more than 5 minutes older than the one before it, by up to '
            || CASE WHEN max(step_back) >= INTERVAL 2 DAY THEN max(epoch(step_back))::BIGINT // 86400 || ' days' ELSE max(epoch(step_back))::BIGINT // 60 || ' minutes' END || ', ' || show_span(min(to_time), max(from_time)),
        list_sort(list_distinct(flatten(arg_max(event_keys, (step_back, -event_keys[2]), 10))))
    FROM time_step_back WHERE step_back > INTERVAL 5 MINUTE GROUP BY source_file_id
    UNION ALL
    SELECT source_file_id, reason, count(DISTINCT own_key), counted(count(DISTINCT own_key), 'record') || CASE WHEN count(DISTINCT own_key) = 1 THEN ' has the EventRecordID of another in ' ELSE ' have EventRecordIDs of others in ' END
            || concat_ws(' and ', CASE WHEN bool_or(is_inside) THEN 'this log' END, name_list(list(DISTINCT path_end(other_path, 60)) FILTER (NOT is_inside), 3))
            || CASE reason WHEN 'number_used_again' THEN ', of another time, as where a log has two histories'
                ELSE ', of the same time, and they differ in ' || name_list(list_sort(list_distinct(flatten(list(differs)))), 9)
                    || CASE reason WHEN 'content_differs' THEN '' ELSE ', though the checksums fit, as where one of them was changed' END END
            || ': view record_conflict has both side by side',
        list_sort(list_distinct(flatten(list_sort(list(DISTINCT [own_key, other_key]))[:10])))
    FROM conflict GROUP BY source_file_id, reason
),
reason(reason, severity, innocent_causes) AS (
    VALUES
    ('log_cleared', 'serious', 'an administrator or program that empties logs as a habit, a prepared disk image, a laboratory'),
    ('records_gone_checksums_fit', 'serious', 'we know of none that is common; compare with another copy of the log (shadow copy, backup, forwarded events)'),
    ('content_differs_checksums_fit', 'serious', 'we know of none that is common; find out which of both files is nearer to the source'),
    ('checksum_mismatch', 'notable', 'a copy taken while Windows wrote, a crash, a failing disk, an acquisition of a log in use'),
    ('content_differs', 'notable', 'damage, or a record in part overwritten, in one of the two files; a forwarded record whose values were written otherwise'),
    ('file_cut_off', 'notable', 'an interrupted copy, a full disk, a size limit of the tool that collected it'),
    ('header_ahead', 'notable', 'the last chunk was not written before a crash, an interrupted copy, a log that was emptied and closed'),
    ('header_behind', 'notable', 'a copy taken at the moment of closing, a header that a tool has repaired'),
    ('header_checksum_mismatch', 'notable', 'a copy taken while Windows wrote the header, a failing disk, a header that a tool has repaired'),
    ('number_used_again', 'notable', 'a virtual machine or disk put back to an earlier state, a computer set up anew or cloned under its name, a log that was cleared or made anew and counts from 1'),
    ('other_log_cleared', 'notable', 'an administrator or program that empties logs as a habit, a prepared disk image, a laboratory'),
    ('numbers_disagree', 'notable', 'damage, a file put together from several states (shadow copies), forwarded events among others'),
    ('part_unreadable', 'notable', 'a copy taken while Windows wrote, a crash, a failing disk, an image put together from several states'),
    ('reading_disturbed', 'notable', 'a log of a running system, a failing disk or network; ingest a copy of it'),
    ('records_gone', 'notable', 'a copy taken while Windows wrote, a crash, a failing disk, a file cut off'),
    ('records_missing', 'notable', 'records that were not written before a crash, damage, a file put together from several states (shadow copies)'),
    ('records_unreadable', 'notable', 'a copy taken while Windows wrote, a crash, a failing disk, a form of record that the parser does not know'),
    ('time_backwards', 'notable', 'the clock set by hand or by the time service, at boot from hardware or the host, a virtual machine put back to an earlier state'),
    ('holes_not_judged', 'remark', 'ordinary where logs and exports of them were collected'),
    ('older_records_in_slack', 'remark', 'ordinary: Windows writes a chunk anew over what was in it'),
    ('records_rescued', 'remark', 'ordinary in the neighbourhood of damage'),
    ('no_checksums', 'remark', 'ordinary where Windows writes logs so'),
    ('not_closed', 'remark', 'ordinary: logs of a running system are so, and those after a loss of power'),
    ('numbered_anew', 'remark', 'ordinary: Event Viewer and wevtutil number exports anew'),
    ('records_missing_between_logs', 'remark', 'ordinary: a log rolled over between two collections, or files of it were not collected')
)
SELECT log.source_file_id, concat_ws('!', log.container, log.path) AS path, log.sha256, log.host, log.computer, log.channel, reason, severity, occurrences::BIGINT AS occurrences, meaning, innocent_causes,
    event_keys::BIGINT[] AS event_keys
FROM found JOIN reason USING (reason) JOIN log USING (source_file_id)
ORDER BY log.path, log.source_file_id, list_position(['serious', 'notable', 'remark'], severity), reason
