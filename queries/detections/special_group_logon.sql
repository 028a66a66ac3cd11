-- ---
-- id = "special_group_logon"
-- title = "Logon of a member of a watched group"
-- level = "medium"
-- attack = ["T1078"]
-- description = """4964: a member of one of the groups that this organisation asked Windows to watch (registry value SpecialGroups) logged on. Who set
-- that up wanted to know of each such logon."""
-- false_positives = ["The watched accounts at their daily work"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4964"]
-- requires = [{channel = "Security", event_id = [4964]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 60
-- description = "Logons of one account this close together are one finding"
-- ---
WITH watched AS (
    SELECT event_key, event_time, host, computer, account(target_domain_name, target_user_name) AS user_name,
        regexp_extract_all(event_data->>'SidList', 'S-1-[0-9-]+') AS sids
    FROM rare_event WHERE event_id = 4964 AND provider = 'Microsoft-Windows-Security-Auditing'
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS previous FROM watched),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' of a watched group logged on to ' || coalesce(computer, 'an unnamed computer') || ', ' || counted(count(*), 'time') || ' '
        || show_span(min(event_time), max(event_time)) || coalesce(' (group ' || nullif(name_list(flatten(list(sids)), 4), '') || ')', '') AS summary,
    list_sort(list(event_key)) AS evidence, list_sort(list_distinct(flatten(list(sids)))) AS group_sids
FROM numbered GROUP BY computer, user_name, island
ORDER BY event_time, evidence
