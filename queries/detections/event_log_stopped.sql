-- ---
-- id = "event_log_stopped"
-- title = "The event log stopped while the computer went on"
-- level = "medium"
-- attack = ["T1562.002"]
-- description = """1100 (the event log service shut down) without a start of the computer after it: the service was stopped or killed on its own, and what
-- happened until it came back is in no log."""
-- false_positives = ["A boot whose first records are missing"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-1100"]
-- requires = [{channel = "Security", event_id = [1100, 4608]}]
-- [params.records_after]
-- type = "integer"
-- default = 40
-- description = "Among so many records after 1100 a boot writes its 4608 or 4826; first come stragglers of the shutdown"
-- ---
-- By record numbers, so only in logs that are no filtered exports, whose record headers are numbered anew. At the end of a log nothing can
-- be said. The next record's time is when the service wrote again.
-- Record by record of each file: what came next is judged where a file has it.
WITH security AS (FROM file_record WHERE channel = 'Security' AND origin NOT IN ('carved', 'slack')),
stop AS (
    SELECT security.*, host FROM security JOIN rare_event USING (event_key)
    WHERE event_id = 1100 AND security.header_record_id = security.event_record_id
),
boot AS (
    SELECT security.source_file_id, security.computer, security.event_record_id FROM security JOIN rare_event USING (event_key)
    WHERE event_id IN (4608, 4826)
),
log AS (SELECT source_file_id, computer, max(event_record_id) AS last_number FROM security GROUP BY ALL),
unbooted AS (
    SELECT stop.source_file_id, stop.event_record_id, stop.event_key, stop.event_time, stop.host, stop.computer
    FROM stop JOIN log USING (source_file_id, computer)
    ASOF LEFT JOIN boot ON boot.source_file_id = stop.source_file_id AND boot.computer = stop.computer AND stop.event_record_id <= boot.event_record_id
    WHERE last_number >= stop.event_record_id + $records_after AND coalesce(boot.event_record_id > stop.event_record_id + $records_after, true)
)
SELECT unbooted.event_time, unbooted.host, unbooted.computer, NULL::VARCHAR AS user_name,
    'The event log service of ' || unbooted.computer || ' shut down at ' || show_time(unbooted.event_time) || ' and wrote again at '
        || show_time(arg_min(next.event_time, (next.event_record_id, next.event_key))) || ' without a start of the computer in between' AS summary,
    [unbooted.event_key, arg_min(next.event_key, (next.event_record_id, next.event_key))] AS evidence
FROM unbooted JOIN security AS next ON next.source_file_id = unbooted.source_file_id AND next.computer = unbooted.computer
    AND next.event_record_id > unbooted.event_record_id AND next.event_record_id <= unbooted.event_record_id + $records_after
GROUP BY unbooted.event_key, unbooted.event_time, unbooted.host, unbooted.computer
ORDER BY unbooted.event_time, evidence
