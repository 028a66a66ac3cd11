-- ---
-- id = "records_missing"
-- title = "Records are missing inside a log"
-- level = "low"
-- other_levels = ["medium"]  # of the Security log, or while other logs of the computer went on
-- attack = ["T1070.001"]
-- description = """EventRecordIDs in the middle of a log that is no filtered export are in no file of the case: cut out, lost, or not collected. Medium if
-- it is the Security log, or if other logs of the computer wrote on in that time. What a clearing explains is security_log_cleared, what
-- could not be read is in parse_failure."""
-- false_positives = ["A log that rolled over between two collections", "Damaged files of which whole chunks are gone"]
-- references = ["https://attack.mitre.org/techniques/T1070/001/"]
-- requires = [{channel = "Security", event_id = [4608, 4624, 4634, 4672, 4688]},
--     {channel = "System", event_id = [12, 13, 6005, 6006, 6013, 7036, 7040]}]  # it needs any records of a log: these are the usual ones
-- [params.min_missing]
-- type = "integer"
-- default = 1
-- description = "Records that are missing at least"
-- [params.min_other_records]
-- type = "integer"
-- default = 10
-- description = "So many records of other logs within the hole show that the computer went on"
-- ---
-- A log with a record that could not be read has its hole explained. After a clearing the first record is 1102 or 104.
WITH in_damaged AS (SELECT event_key FROM file_record JOIN source_file USING (source_file_id) WHERE status = 'damaged'),
unexplained AS (
    SELECT * FROM record_hole AS hole
    WHERE event_keys[1] NOT IN (FROM in_damaged) AND event_keys[2] NOT IN (FROM in_damaged) AND missing >= $min_missing AND next_event_id NOT IN (104, 1102)
        AND NOT EXISTS (FROM source_file WHERE lower(source_file.computer) = lower(hole.computer) AND source_file.channel = hole.channel AND status = 'damaged')
        AND NOT EXISTS (FROM log_cleared WHERE lower(log_cleared.computer) = lower(hole.computer) AND cleared_channel = hole.channel
            AND log_cleared.event_time BETWEEN hole.from_time AND hole.to_time)
),
judged AS (
    SELECT *, (SELECT count(*) FROM counted_event AS event WHERE lower(event.computer) = lower(hole.computer) AND event.channel <> hole.channel
            AND event.event_time > hole.from_time AND event.event_time < hole.to_time) AS other_records
    FROM unexplained AS hole
),
span AS (SELECT computer, channel, min(last_number) AS first_number, max(next_number) AS final_number FROM unexplained GROUP BY ALL),
found AS (
    SELECT span.computer, span.channel, count(DISTINCT event_record_id) AS recovered
    FROM span JOIN recovered_number AS old ON old.computer = lower(span.computer) AND old.channel = span.channel
        AND event_record_id BETWEEN first_number AND final_number GROUP BY ALL
)
SELECT min(from_time) AS event_time, arg_min(host, next_number) AS host, computer, NULL::VARCHAR AS user_name,
    counted(sum(missing), 'record') || ' of the log ' || channel || ' of ' || coalesce(computer, 'an unnamed computer') || ' are in no file, '
        || CASE WHEN count(*) = 1 THEN 'between #' || min(last_number) || ' and #' || max(next_number) ELSE 'in ' || count(*) || ' holes from #' || min(last_number) || ' to #' || max(next_number) END
        || ' (' || show_span(min(from_time), max(to_time)) || ')'
        || coalesce('; slack or carved chunks have ' || any_value(recovered) || ' of the numbers in between', '')
        || CASE WHEN max(other_records) >= $min_other_records THEN '; other logs wrote ' || counted(max(other_records), 'record') || ' in one hole' ELSE '' END AS summary,
    -- The records on both sides of the ten widest holes.
    list_sort(list_distinct(flatten(list(event_keys ORDER BY missing DESC, next_number)[1:10]))) AS evidence, channel, sum(missing) AS missing, count(*) AS holes,
    CASE WHEN channel = 'Security' OR max(other_records) >= $min_other_records THEN 'medium' END AS level
FROM judged LEFT JOIN found USING (computer, channel) GROUP BY computer, channel
ORDER BY event_time, evidence
