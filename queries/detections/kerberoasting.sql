-- ---
-- id = "kerberoasting"
-- title = "Service tickets with weak encryption asked for (Kerberoasting)"
-- level = "high"
-- attack = ["T1558.003"]
-- description = """An account asked for service tickets with RC4 of services that run as users: such a ticket can be cracked without being
-- seen. One may be an old application; several services in a row are a tool."""
-- false_positives = ["Applications that only speak RC4"]
-- references = ["https://attack.mitre.org/techniques/T1558/003/"]
-- requires = [{channel = "Security", event_id = [4769]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- Machine accounts have random passwords, so tickets to them are no prey. 0x17 and 0x18 are RC4.
WITH asked AS (
    SELECT * FROM kerberos_ticket
    WHERE kind = 'service ticket' AND is_success AND encryption_type IN ('0x17', '0x18')
        AND NOT ends_with(service_name, '$') AND lower(service_name) <> 'krbtgt' AND NOT is_machine_account(user_name)
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, lower(user_name), ip ORDER BY event_time, event_key) AS previous FROM asked),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, lower(user_name), ip ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    coalesce(arg_min(user_name, event_key), 'Somebody') || coalesce(' from ' || ip, '') || ' asked for RC4 tickets of '
        || counted(count(DISTINCT service_name), 'service') || ' ' || show_span(min(event_time), max(event_time)) || ': ' || name_list(list(service_name), 6) AS summary,
    list_sort(list(event_key)) AS evidence, count(DISTINCT service_name) AS services
FROM numbered GROUP BY computer, lower(user_name), ip, island
ORDER BY event_time, evidence
