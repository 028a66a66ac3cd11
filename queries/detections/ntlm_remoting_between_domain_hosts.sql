-- ---
-- id = "ntlm_remoting_between_domain_hosts"
-- title = "Remoting by NTLM with a domain account"
-- level = "medium"
-- other_levels = ["high"]  # the client asked for the server by name, so Kerberos would have worked
-- attack = ["T1021.006", "T1550.002"]
-- description = """A remoting session of a domain account was authenticated by NTLM though both ends could speak Kerberos: by address, by
-- TrustedHosts, or with a stolen hash."""
-- false_positives = ["Connections by IP address; a domain controller that could not be reached"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/winrm-security"]
-- requires = [{channel = "Security", event_id = [4624]},
--     {channel = "Microsoft-Windows-WinRM/Operational", event_id = [6, 91]}]
-- ---
-- Of a domain: the computer's name has one, and the account's is not the computer's own name.
SELECT session.start_time AS event_time, place.host, place.written_name AS computer, account(session.user_domain, session.user_name) AS user_name,
    coalesce(account(session.user_domain, session.user_name), 'Somebody') || ' came to ' || place.written_name || coalesce(' from ' || source_ip, '')
        || ' by NTLM and not by Kerberos' || coalesce(', asked for as ' || asked.connected_host, '') || ' (session ' || session_id || ')' AS summary,
    (SELECT list_sort(list(DISTINCT event_key)) FROM remoting_witness JOIN counted_event USING (event_key)
     WHERE remoting_witness.session_id = session.session_id AND role IN ('client_session', 'logon', 'shell')
        AND (event_id = 91 OR event_key = asked.event_key OR (event_id = 4624 AND authentication_package_name = 'NTLM'))) AS evidence,
    session_id, source_ip, CASE WHEN asked.event_key IS NOT NULL THEN 'high' END AS level
FROM remoting_session AS session JOIN computer_name AS place ON place.computer = target_computer
-- The client asked by name: what it connected to is no address.
LEFT JOIN winrm AS asked ON asked.event_key = session.client_key AND NOT regexp_matches(asked.connected_host, '^[0-9.]+$|^\[')
WHERE authentication_package = 'NTLM' AND contains(target_computer, '.') AND user_domain IS NOT NULL
    AND lower(user_domain) <> short_host(target_computer)
ORDER BY event_time, session_id
