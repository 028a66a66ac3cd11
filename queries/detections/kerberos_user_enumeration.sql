-- ---
-- id = "kerberos_user_enumeration"
-- title = "User names probed by Kerberos"
-- level = "medium"
-- attack = ["T1087.002", "T1589.001"]
-- description = """One source asks a domain controller for tickets of many accounts that do not exist: 4768 with status
-- 0x6. Tools such as kerbrute sort out valid names that way, without a failed logon."""
-- false_positives = ["Devices and scripts with names of deleted accounts", "Gateways behind whose address many users sit"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4768"]
-- requires = [{channel = "Security", event_id = [4768]}]
-- [params.min_names]
-- type = "integer"
-- default = 6
-- description = "Different unknown names within the window"
-- [params.window_minutes]
-- type = "integer"
-- default = 10
-- description = "Length of the sliding window; a series ends when nothing is asked for as long"
-- ---
-- 6 names in 10 minutes: a person mistypes one or two names; the shortest of real lists in our samples has 7.
WITH counted_ahead AS (
    SELECT *, count(DISTINCT lower(user_name)) OVER (PARTITION BY computer, ip ORDER BY event_time
        RANGE BETWEEN CURRENT ROW AND to_minutes($window_minutes) FOLLOWING) AS names_ahead
    FROM kerberos_ticket
    WHERE kind = 'TGT' AND status = '0x6'
),
dense AS (
    SELECT * FROM counted_ahead
    QUALIFY in_full_window(event_time, names_ahead, $min_names, $window_minutes, computer, ip, NULL)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $window_minutes)) OVER (PARTITION BY computer, ip ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer, ip ORDER BY event_time, event_key) AS previous FROM dense)
),
series AS (
    SELECT computer, ip, island, min(event_time) AS event_time, max(event_time) AS last_time, any_value(host ORDER BY event_key) AS host,
        list(user_name) AS names, count(DISTINCT lower(user_name)) AS name_count, list(event_key ORDER BY event_key) AS evidence
    FROM numbered
    GROUP BY computer, ip, island
)
SELECT event_time, host, computer, NULL AS user_name,
    coalesce(ip, 'An unnamed source') || ' asked ' || coalesce(computer, 'a domain controller') || ' for Kerberos tickets of ' || name_count
        || ' accounts that do not exist ' || show_span(event_time, last_time) || ': ' || name_list(names, 8) AS summary,
    evidence, ip, name_count, last_time
FROM series
ORDER BY event_time, evidence
