-- ---
-- id = "rdp_from_loopback"
-- title = "Remote desktop through a tunnel"
-- level = "high"
-- attack = ["T1021.001", "T1572"]
-- description = """A remote desktop logon came from the computer's own loopback address: the connection was forwarded through a tunnel on this
-- computer, from where no firewall lets remote desktop in."""
-- false_positives = ["Remote-support software that forwards remote desktop"]
-- references = ["https://attack.mitre.org/techniques/T1572/"]
-- requires = [{channel = "Security", event_id = [4624]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
WITH tunnelled AS (SELECT * FROM logon WHERE logon_type IN (10, 12) AND is_loopback(ip)),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS previous FROM tunnelled),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    coalesce(arg_min(account(user_domain, user_name), event_key), 'Somebody') || ' logged on to ' || coalesce(computer, 'an unnamed computer')
        || ' by remote desktop from its own loopback address, ' || counted(count(*), 'time') || ' ' || show_span(min(event_time), max(event_time)) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, user_name, island
ORDER BY event_time, evidence
