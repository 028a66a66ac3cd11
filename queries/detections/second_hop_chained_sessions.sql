-- ---
-- id = "second_hop_chained_sessions"
-- title = "Chained remoting sessions"
-- level = "high"
-- attack = ["T1021.006"]
-- description = """A remoting session was opened from within another one by the same account, from A over B to C: the way of somebody who cannot
-- or does not want to reach C from A."""
-- false_positives = ["Jump hosts; B manages C and has work of its own"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [6, 91]},
--     {channel = "Security", event_id = [4624]}]
-- ---
-- Where another account goes on it is second_hop_explicit_credentials; where there are two rows for it, the session is cited once.
SELECT hop.event_time, place.host, place.written_name AS computer, hop.user_name,
    coalesce(hop.user_name, 'Somebody') || ' opened session ' || to_session_id || ' on ' || hop.to_computer || ' from within session ' || from_session_id
        || ' on ' || via_computer || coalesce(', which came from ' || source_computer, '') || ' (' || method || '; ' || hop.reason || ')' AS summary,
    (SELECT list_sort(list(DISTINCT event_key)) FROM remoting_witness AS witness
     WHERE witness.session_id = hop.to_session_id AND role IN ('client_session', 'shell', 'logon', 'ticket')) AS evidence,
    hop_id, from_session_id, to_session_id, method, hop.confidence
FROM hop LEFT JOIN computer_name AS place ON place.computer = hop.to_computer
WHERE to_session_id IS NOT NULL AND NOT is_failed AND method <> 'explicit_credentials'
    AND EXISTS (SELECT 1 FROM remoting_witness AS witness WHERE witness.session_id = hop.to_session_id AND role IN ('client_session', 'shell', 'logon'))
ORDER BY hop.event_time, hop_id
