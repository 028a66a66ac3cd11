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
-- At the end of a log nothing can be said. The next record's time is when the service wrote again.
WITH candidate AS (SELECT DISTINCT source_file_id, computer FROM rare_event WHERE event_id = 1100 AND channel = 'Security'),
following AS (
    SELECT event_key, event_time, host, computer, event_id, count(*) OVER later AS records, count(*) FILTER (event_id IN (4608, 4826)) OVER later AS boots,
        lead(event_key) OVER one AS next_key, lead(event_time) OVER one AS next_time
    FROM event SEMI JOIN candidate USING (source_file_id, computer)
    WHERE channel = 'Security'
    WINDOW one AS (PARTITION BY source_file_id, computer ORDER BY event_record_id, event_key),
        later AS (PARTITION BY source_file_id, computer ORDER BY event_record_id, event_key ROWS BETWEEN 1 FOLLOWING AND $records_after FOLLOWING)
)
SELECT event_time, host, computer, NULL::VARCHAR AS user_name,
    'The event log service of ' || computer || ' shut down at ' || show_time(event_time) || ' and wrote again at ' || show_time(next_time)
        || ' without a start of the computer in between' AS summary,
    [event_key, next_key] AS evidence, next_time
FROM following WHERE event_id = 1100 AND boots = 0 AND records >= $records_after
ORDER BY event_time, evidence
