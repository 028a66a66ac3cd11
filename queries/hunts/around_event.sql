-- ---
-- id = "around_event"
-- title = "What else was logged around an event"
-- description = """All events of all logs within a time around one event: the same computer by default, or the whole case."""
-- [params.event_key]
-- type = "integer"
-- default = 1
-- description = "event_key of a finding's evidence or of any query"
-- [params.seconds]
-- type = "integer"
-- default = 60
-- description = "How long before and after"
-- [params.all_computers]
-- type = "boolean"
-- default = false
-- description = "Other computers too; their clocks may differ"
-- ---
SELECT
    e.event_time, e.event_time - middle.event_time AS distance, e.computer, e.channel, e.event_id,
    a.kind, a.user_name, a.ip, coalesce(a.text, excerpt(e.event_data, 200)) AS text, e.event_record_id, e.event_key
FROM event AS middle
JOIN counted_event AS e ON e.event_time BETWEEN middle.event_time - to_seconds($seconds) AND middle.event_time + to_seconds($seconds)
    AND ($all_computers OR e.computer = middle.computer)
LEFT JOIN activity AS a ON a.event_key = e.event_key
WHERE middle.event_key = $event_key
ORDER BY e.event_time, e.event_key
