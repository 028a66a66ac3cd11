-- ---
-- id = "dcsync"
-- title = "Directory replication by an account that is no domain controller (DCSync)"
-- level = "critical"
-- attack = ["T1003.006"]
-- description = """4662 with the right to replicate the directory, used by an account that is no computer. Replication hands out
-- every password hash of the domain."""
-- false_positives = ["Microsoft Entra Connect (its MSOL_ accounts are left out) and other directory synchronisation"]
-- references = ["https://attack.mitre.org/techniques/T1003/006/"]
-- requires = [{channel = "Security", event_id = [4662]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Uses by one logon this close together are one finding"
-- ---
-- DS-Replication-Get-Changes (1131f6aa), -Get-Changes-All (1131f6ad) and -In-Filtered-Set (89e95b76). 256 (0x100) is
-- "extended right used": without it the GUID only names what was changed. 10 minutes: a run asks several times.
WITH replication AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS previous
    FROM directory_access
    WHERE access_mask & 256 <> 0
        AND list_has_any(right_guids, ['1131f6aa-9c07-11d1-f79f-00c04fc2dcd2', '1131f6ad-9c07-11d1-f79f-00c04fc2dcd2',
            '89e95b76-444d-4c62-991a-0facbeda640c'])
        AND NOT is_machine_account(user_name) AND NOT starts_with(upper(user_name), 'MSOL_')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS island
    FROM replication
)
SELECT min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host, computer,
    account(any_value(user_domain ORDER BY event_key), any_value(user_name ORDER BY event_key)) AS user_name,
    account(any_value(user_domain ORDER BY event_key), any_value(user_name ORDER BY event_key)) || ' used the right to replicate the directory on '
        || coalesce(computer, 'an unnamed computer') || ', ' || counted(count(*), 'time') || ' ' || show_span(min(event_time), max(event_time))
        || CASE WHEN bool_or(list_contains(right_guids, '1131f6ad-9c07-11d1-f79f-00c04fc2dcd2')) THEN ', secrets included' ELSE '' END AS summary,
    list(event_key ORDER BY event_key) AS evidence, any_value(logon_id ORDER BY event_key) AS logon_id
FROM numbered
GROUP BY computer, user_sid, island
ORDER BY min(event_time), evidence
