-- ---
-- id = "second_hop_explicit_credentials"
-- title = "Second hop with credentials given inside the session"
-- level = "high"
-- attack = ["T1021.006", "T1078"]
-- description = """From within a remoting session somebody went on to a third computer with credentials of their own for it: 4648 in the
-- session's logon, or another account that goes on. The password was typed, stored or stolen."""
-- false_positives = ["Administrators and automation that pass -Credential"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Security", event_id = [4624, 4648]},
--     {channel = "Microsoft-Windows-WinRM/Operational", event_id = [6, 91]}]
-- ---
SELECT event_time, place.host, place.written_name AS computer, user_name,
    'From within session ' || from_session_id || ' ' || coalesce(user_name, 'somebody') || ' went on from ' || via_computer || ' to '
        || coalesce(to_computer, 'an unknown computer') || ' as ' || coalesce(next_user_name, 'an unknown account')
        || ' with credentials given there (' || reason || ')' AS summary,
    -- Where the 4648 was not logged, the session that the hop became is what it rests on.
    list_sort(list_distinct(event_keys || coalesce((
        SELECT coalesce(list(event_key) FILTER (role <> 'logon'), list(event_key)) FROM remoting_witness AS witness
        WHERE witness.session_id = hop.to_session_id AND role IN ('client_session', 'shell', 'logon')), []))) AS evidence, hop_id, from_session_id, to_session_id, next_user_name, confidence
FROM hop LEFT JOIN computer_name AS place ON place.computer = via_computer
WHERE method = 'explicit_credentials' AND NOT is_failed
ORDER BY event_time, hop_id
