-- ---
-- id = "wsman_fan_out"
-- title = "Remoting to many computers"
-- level = "medium"
-- attack = ["T1021.006", "T1570"]
-- description = """One account on one computer opened WSMan sessions to many computers within minutes (WinRM 6): administration of a fleet, or
-- somebody trying doors."""
-- false_positives = ["Inventory and management servers: put them on the allow-list"]
-- references = ["https://attack.mitre.org/techniques/T1021/006/"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [6]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- [params.min_computers]
-- type = "integer"
-- default = 5
-- description = "So many different computers at least"
-- ---
-- Five in ten minutes: a starting value.
WITH opened AS (
    SELECT * FROM winrm WHERE event_id = 6 AND connected_host IS NOT NULL AND connected_host NOT IN ('localhost', '127.0.0.1', '[::1]')
        AND connected_host <> short_host(computer)
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS previous FROM opened),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, user_sid AS user_name,
    coalesce(user_sid, 'Somebody') || ' on ' || coalesce(computer, 'an unnamed computer') || ' opened sessions to ' || count(DISTINCT connected_host) || ' computers '
        || show_span(min(event_time), max(event_time)) || ': ' || name_list(list(connected_host), 8) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, user_sid, island
HAVING count(DISTINCT connected_host) >= $min_computers
ORDER BY event_time, evidence
