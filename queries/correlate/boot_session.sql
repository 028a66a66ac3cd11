-- ---
-- id = "boot_session"
-- title = "Boot sessions"
-- description = """One row a computer and uptime. Logon ids and process ids mean something within one of them only. A
-- computer without any boot marker has one row from its first to its last event, marked is_marked = false."""
-- [columns]
-- computer = "System/Computer, lower case"
-- boot_number = "0 before the first marker in the logs, then 1, 2, ..."
-- start_time = "of the marker; NULL: before the logs begin"
-- end_time = "the next boot, excluded; NULL: none is in the logs"
-- shutdown_time = "clean shutdown before the next boot; NULL: none was logged, as after a power cut"
-- is_marked = "a marker began it"
-- event_keys = "the markers"
-- ---
-- Markers: Kernel-General 12, EventLog 6005, Security 4608, and 4624 of type 0, which only SYSTEM has and only at start
-- (Microsoft Learn, event 4624). One boot writes several of them within some seconds; a start that takes longer than
-- two minutes between them would count twice, which splits a session and never joins two.
WITH marker AS (
    SELECT event_key, event_time, lower(computer) AS computer
    FROM counted_event
    WHERE (event_id = 12 AND provider = 'Microsoft-Windows-Kernel-General')
        OR (event_id = 6005 AND channel = 'System' AND provider = 'EventLog')
        OR (event_id = 4608 AND provider = 'Microsoft-Windows-Security-Auditing')
        OR (event_id = 4624 AND logon_type = 0 AND provider = 'Microsoft-Windows-Security-Auditing')
),
stepped AS (
    SELECT *, event_time - lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) <= INTERVAL 2 MINUTE
        AS is_same
    FROM marker
),
numbered AS (
    SELECT *, sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS boot_number
    FROM stepped
),
boot AS (
    SELECT computer, boot_number::INTEGER AS boot_number, min(event_time) AS start_time, list_sort(list(event_key)) AS event_keys
    FROM numbered GROUP BY computer, boot_number
),
before AS (
    SELECT lower(computer) AS computer, 0 AS boot_number, NULL::TIMESTAMP AS start_time, []::BIGINT[] AS event_keys
    FROM counted_event WHERE computer IS NOT NULL GROUP BY ALL
),
bounded AS (
    SELECT *, lead(start_time) OVER (PARTITION BY computer ORDER BY boot_number) AS end_time
    FROM (FROM boot UNION ALL FROM before)
),
-- 1100, Kernel-General 13 and EventLog 6006 are the last that a clean shutdown writes.
shutdown AS (
    SELECT lower(computer) AS computer, event_time FROM counted_event
    WHERE (event_id = 1100 AND provider = 'Microsoft-Windows-Eventlog') OR (event_id = 6006 AND channel = 'System' AND provider = 'EventLog')
        OR (event_id = 13 AND provider = 'Microsoft-Windows-Kernel-General')
)
SELECT bounded.computer, boot_number, start_time, end_time,
    (SELECT min(event_time) FROM shutdown WHERE shutdown.computer = bounded.computer
        AND event_time BETWEEN bounded.end_time - INTERVAL 10 MINUTE AND bounded.end_time) AS shutdown_time,
    boot_number > 0 AS is_marked,
    event_keys
FROM bounded
ORDER BY bounded.computer, boot_number
