-- ---
-- id = "rdp_logon"
-- title = "Remote desktop logon"
-- level = "informational"
-- other_levels = ["low"]  # from a public address
-- attack = ["T1021.001"]
-- description = """Somebody logged on by remote desktop: 4624 of type 10 or 12, or 1149 of the connection manager, which is written when the network
-- layer authenticated the user, before the logon. A row of the timeline; low if it came from a public address outside
-- the networks of the case's computers. Through a tunnel it is rdp_from_loopback."""
-- false_positives = ["Every administration by remote desktop"]
-- references = ["https://attack.mitre.org/techniques/T1021/001/"]
-- requires = [{channel = "Security", event_id = [4624]},
--     {channel = "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational", event_id = [1149]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Records of one account and source this close together are one row"
-- ---
-- 1149 has unnamed parameters: user, domain, address.
WITH seen AS (
    SELECT event_key, event_time, host, computer, account(user_domain, user_name) AS user_name, lower(user_name) AS name, ip, false AS is_before_logon
    FROM logon WHERE logon_type IN (10, 12)
    UNION ALL
    SELECT event_key, event_time, host, computer, account(event_data->>'$.EventXML.Param2', event_data->>'$.EventXML.Param1'),
        lower(event_data->>'$.EventXML.Param1'), clean_ip(event_data->>'$.EventXML.Param3'), true
    FROM counted_event WHERE event_id = 1149 AND channel = 'Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational'
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, name, ip ORDER BY event_time, event_key) AS previous FROM seen),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, name, ip ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    coalesce(arg_min(user_name, event_key), 'Somebody') || CASE WHEN bool_and(is_before_logon) THEN ' connected by remote desktop to ' ELSE ' logged on by remote desktop to ' END
        || coalesce(computer, 'an unnamed computer') || coalesce(' from ' || ip, '') || ' ' || show_span(min(event_time), max(event_time))
        || CASE WHEN bool_and(is_before_logon) THEN ' (1149 only: that the logon succeeded is not told)' ELSE '' END AS summary,
    list_sort(list(event_key)) AS evidence, ip,
    CASE WHEN ip IS NOT NULL AND NOT is_private_ip(ip) AND neighbourhood(ip) NOT IN (SELECT neighbourhood(ip) FROM host_address) THEN 'low' END AS level
FROM numbered GROUP BY computer, name, ip, island
ORDER BY event_time, evidence
