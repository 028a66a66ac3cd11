-- ---
-- id = "detection_coverage"
-- title = "What each detection could have found"
-- description = """One row a detection and computer: whether the events that it reads are in the case, so that no finding means something.
-- A detection that reads several kinds of events is possible where one of them is there."""
-- [columns]
-- detection_id = "file name of the detection"
-- title = "its title"
-- level = "its level"
-- computer = "lower case"
-- is_possible = "it could have found something here"
-- events = "how many events of the kinds that it reads are in the case"
-- present = "which kinds: channel and event ids"
-- missing = "which kinds are not there, and why as far as known"
-- ---
-- Absent events are no proof that they were not logged: perhaps nothing of the kind happened. The log's notes say what is known.
WITH kind AS (
    SELECT computer, channel, event_id, sum(events) AS events
    FROM event_kind WHERE computer IS NOT NULL AND (channel, event_id) IN (SELECT (channel, unnest(event_ids)) FROM detection_requirement)
    GROUP BY ALL
),
-- Computers that have a log of their own here, not names that one forwarded record mentions.
computer AS (SELECT DISTINCT computer FROM log_coverage),
wanted AS (
    SELECT detection_id, title, level, position, computer, channel, event_ids FROM detection_requirement, computer
),
counted AS (
    SELECT wanted.*, coalesce(sum(events), 0)::BIGINT AS events, list_sort(list(kind.event_id) FILTER (kind.event_id IS NOT NULL)) AS seen_ids
    FROM wanted LEFT JOIN kind ON kind.computer = wanted.computer AND kind.channel = wanted.channel AND list_contains(wanted.event_ids, kind.event_id)
    GROUP BY ALL
),
worded AS (
    SELECT counted.*,
        counted.channel || ' ' || array_to_string(CASE WHEN counted.events > 0 THEN seen_ids ELSE event_ids END, ', ') AS words,
        CASE WHEN coverage.computer IS NULL OR coverage.is_absent THEN 'nothing of this log is in the case'
             WHEN coverage.notes <> '' THEN coverage.notes ELSE 'the log has none: not logged, or nothing happened' END AS reason
    FROM counted LEFT JOIN log_coverage AS coverage ON coverage.computer = counted.computer AND coverage.channel = counted.channel
)
SELECT detection_id, any_value(title) AS title, any_value(level) AS level, computer,
    sum(events) > 0 AS is_possible, sum(events)::BIGINT AS events,
    coalesce(string_agg(words, '; ' ORDER BY position) FILTER (events > 0), '') AS present,
    coalesce(string_agg(words || ' (' || reason || ')', '; ' ORDER BY position) FILTER (events = 0), '') AS missing
FROM worded
GROUP BY detection_id, computer
ORDER BY detection_id, computer
