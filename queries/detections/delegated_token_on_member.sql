-- ---
-- id = "delegated_token_on_member"
-- title = "Delegated ticket on a member server"
-- level = "medium"
-- attack = ["T1550.003", "T1558"]
-- description = """A network logon brought a forwarded ticket along (impersonation level delegation) to a computer that is no domain controller:
-- it may go on to any service as this user. On domain controllers that is normal."""
-- false_positives = ["SQL, IIS, Exchange and print servers that are trusted for delegation"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Security", event_id = [4624]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
WITH delegated AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS previous
    FROM logon
    WHERE impersonation_level = 'delegation' AND authentication_package = 'Kerberos' AND NOT is_machine_account(user_name) AND NOT coalesce(is_loopback(ip), false)
        AND lower(computer) NOT IN (SELECT computer FROM domain_controller)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS island FROM delegated
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    coalesce(arg_min(account(user_domain, user_name), event_key), 'Somebody') || ' came to ' || coalesce(computer, 'an unnamed computer') || ' with a ticket that it may pass on, '
        || counted(count(*), 'logon') || ' ' || show_span(min(event_time), max(event_time)) || coalesce(' from ' || arg_min(ip, event_key), '') AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, user_name, island
ORDER BY event_time, evidence
