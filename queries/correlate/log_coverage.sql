-- ---
-- id = "log_coverage"
-- title = "What each log could have shown"
-- description = """One row a computer and channel: what of it the case holds, and why something that happened may not be in it. Channels
-- that remoting leaves traces in have a row even where the case has nothing of them."""
-- [columns]
-- computer = "lower case"
-- channel = "as in the records"
-- records = "how many the case holds, with --include-recovered those from slack and carved among them; 0: none"
-- first_time = "of the first record; of the log itself, as are the columns up to missing_records: a record from slack or carved covers no time"
-- last_time = "of the last record"
-- first_record_id = "lowest EventRecordID"
-- last_record_id = "highest EventRecordID"
-- missing_records = "EventRecordIDs between these that no file holds; NULL: a filtered export, where holes mean nothing"
-- cleared_time = "when the log was last cleared, as far as the logs tell; NULL: not"
-- is_absent = "the case holds nothing of this channel of this computer, or recovered records alone"
-- notes = "why something may be missing here, in words"
-- ---
-- A hole is no proof of tampering: logs roll over, exports filter. In a filtered export the record headers are numbered anew.
WITH present AS (
    SELECT lower(computer) AS computer, channel, count(*) AS records, count(*) FILTER (is_of_log) AS records_of_log,
        min(event_time) FILTER (is_of_log) AS first_time, max(event_time) FILTER (is_of_log) AS last_time,
        min(event_record_id) FILTER (is_of_log) AS first_record_id, max(event_record_id) FILTER (is_of_log) AS last_record_id,
        CASE WHEN bool_and(coalesce(header_record_id = event_record_id, false)) FILTER (is_of_log)
            THEN TRY_CAST(last_record_id::HUGEINT - first_record_id + 1 - count(DISTINCT event_record_id) FILTER (is_of_log) AS BIGINT) END
            AS missing_records
    FROM (SELECT *, origin NOT IN ('carved', 'slack') AS is_of_log FROM counted_event) AS event
    WHERE event.computer IS NOT NULL AND channel IS NOT NULL GROUP BY lower(event.computer), channel
),
expected(channel) AS (
    VALUES ('Security'), ('System'), ('Windows PowerShell'), ('Microsoft-Windows-PowerShell/Operational'),
        ('Microsoft-Windows-WinRM/Operational'), ('Microsoft-Windows-Sysmon/Operational')
),
computer AS (
    SELECT computer, min(first_time) AS first_time FROM present
    WHERE channel IN (SELECT channel FROM expected) GROUP BY computer
),
row_of AS (
    SELECT coalesce(present.computer, wanted.computer) AS computer, coalesce(present.channel, wanted.channel) AS channel,
        coalesce(records, 0) AS records, coalesce(records_of_log, 0) AS records_of_log, present.first_time, last_time, first_record_id, last_record_id, missing_records
    FROM present FULL JOIN (SELECT computer, channel FROM computer, expected) AS wanted
        ON wanted.computer = present.computer AND wanted.channel = present.channel
),
cleared AS (
    SELECT lower(computer) AS computer, CASE event_id WHEN 1102 THEN 'Security' ELSE event_data->>'$.LogFileCleared.Channel' END AS channel,
        max(event_time) AS cleared_time
    FROM counted_event WHERE provider = 'Microsoft-Windows-Eventlog' AND event_id IN (1102, 104) GROUP BY ALL
),
policy AS (
    SELECT event_kind.computer,
        sum(events) FILTER (event_id = 4688) AS process_starts,
        sum(events) FILTER (event_id = 4624) AS logons
    FROM event_kind WHERE provider = 'Microsoft-Windows-Security-Auditing' AND event_id IN (4688, 4624) GROUP BY ALL
),
commanded AS (
    SELECT DISTINCT lower(process_start.computer) AS computer FROM process_start WHERE source = '4688' AND command_line IS NOT NULL
),
reduced AS (
    SELECT lower(event.computer) AS computer, min(event_time) AS reduced_time
    FROM counted_event AS event WHERE provider = 'Microsoft-Windows-Security-Auditing' AND event_id = 4719
        AND regexp_matches(event_data->>'AuditPolicyChanges', '%%84(48|50)')
    GROUP BY ALL
),
-- PowerShell 5 and later can log code; 2.0 to 4.0 of old Windows cannot, so that nothing is missing there.
engine AS (
    SELECT lower(computer) AS computer, max(TRY_CAST(split_part(engine_version, '.', 1) AS INTEGER)) AS engine_major
    FROM powershell_engine GROUP BY ALL
),
code AS (
    SELECT event_kind.computer, sum(events) AS script_blocks FROM event_kind
    WHERE channel = 'Microsoft-Windows-PowerShell/Operational' AND event_id = 4104 GROUP BY ALL
)
SELECT row_of.computer, row_of.channel, records, row_of.first_time, last_time, first_record_id, last_record_id, missing_records,
    cleared_time, records_of_log = 0 AS is_absent,
    array_to_string(list_filter([
        CASE WHEN records_of_log = 0 THEN 'nothing of this log is in the case'
            || CASE WHEN records > 0 THEN ' but ' || counted(records, 'record') || ' from slack or carved' ELSE '' END
            || ': not collected, not enabled, or emptied' END,
        CASE WHEN cleared_time IS NOT NULL THEN 'cleared at ' || strftime(cleared_time, '%Y-%m-%dT%H:%M:%SZ')
            || ': what was in it before is gone unless it was archived' END,
        CASE WHEN missing_records > 0 THEN missing_records || ' record ids within it are in no file' END,
        CASE WHEN cleared_time IS NULL AND row_of.first_time > computer.first_time + INTERVAL 1 HOUR
            THEN 'begins ' || strftime(row_of.first_time, '%Y-%m-%dT%H:%M:%SZ') || ', later than other logs of this computer: rolled over, or nothing happened before' END,
        CASE WHEN row_of.channel = 'Security' AND records > 0 AND coalesce(process_starts, 0) = 0
            THEN 'no 4688: process creation was not audited, or nothing was started' END,
        CASE WHEN row_of.channel = 'Security' AND process_starts > 0 AND commanded.computer IS NULL
            THEN '4688 without command lines: the policy for them is not set, or Windows 7' END,
        CASE WHEN row_of.channel = 'Security' AND records > 0 AND coalesce(logons, 0) = 0
            THEN 'no 4624: logons were not audited, or nobody logged on' END,
        CASE WHEN row_of.channel = 'Security' AND reduced_time IS NOT NULL
            THEN 'the audit policy was reduced at ' || strftime(reduced_time, '%Y-%m-%dT%H:%M:%SZ') END,
        CASE WHEN row_of.channel = 'Microsoft-Windows-PowerShell/Operational' AND engine_major >= 5 AND coalesce(script_blocks, 0) = 0
            THEN 'PowerShell ' || engine_major || ' ran and there is no 4104: script blocks were not logged' END
    ], lambda note: note IS NOT NULL), '; ') AS notes
FROM row_of
LEFT JOIN computer USING (computer)
LEFT JOIN cleared USING (computer, channel)
LEFT JOIN policy USING (computer)
LEFT JOIN commanded USING (computer)
LEFT JOIN reduced USING (computer)
LEFT JOIN engine USING (computer)
LEFT JOIN code USING (computer)
ORDER BY row_of.computer, row_of.channel
