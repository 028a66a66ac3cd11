-- ---
-- id = "second_hop_credssp"
-- title = "CredSSP used: the password was left on a server"
-- level = "high"
-- attack = ["T1021.006", "T1003"]
-- description = """A remoting session was authenticated by CredSSP (4624 of type 8), or a hop out of it needed the password at the server (a
-- TGT granted there). Whoever rules that server has the password."""
-- false_positives = ["Farms that are set up for CredSSP on purpose"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Security", event_id = [4624, 4768]}]
-- ---
-- Type 8 of a remoting session is CredSSP or Basic; Basic is unencrypted or over HTTPS, and hands the password over too.
WITH used AS (
    SELECT session.session_id, session.target_computer, session.user_name, session.start_time AS event_time, unnest(logon.event_keys[1:1]) AS event_key
    FROM remoting_session AS session JOIN remoting_logon USING (core_number)
    JOIN logon_session AS logon ON logon.event_keys[1] = remoting_logon.logon_key
    WHERE logon.logon_type = 8 AND logon.source = '4624' AND role <> 'run_as'
    UNION
    SELECT from_session_id, via_computer, hop.user_name, session.start_time, event_key
    FROM (SELECT *, unnest(event_keys) AS event_key FROM hop WHERE method = 'credssp' AND NOT is_failed) AS hop
    JOIN remoting_session AS session ON session.session_id = hop.from_session_id
    JOIN kerberos_ticket AS ticket USING (event_key)
    WHERE ticket.kind = 'TGT'
)
SELECT event_time, place.host, place.written_name AS computer, user_name,
    coalesce(user_name, 'Somebody') || '''s password was handed to ' || target_computer || ' by session ' || session_id
        || ': whoever rules that computer has it' AS summary,
    list_sort(list(event_key)) AS evidence, session_id
FROM used LEFT JOIN computer_name AS place ON place.computer = target_computer
GROUP BY session_id, target_computer, user_name, event_time, place.host, place.written_name
ORDER BY event_time, session_id
