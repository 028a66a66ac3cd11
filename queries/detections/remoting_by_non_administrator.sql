-- ---
-- id = "remoting_by_non_administrator"
-- title = "Remoting session without administrator's rights"
-- level = "medium"
-- attack = ["T1021.006", "T1078"]
-- description = """A remoting session whose logon has no administrator's rights: no 4672 and no elevated token. By default only administrators
-- may use remoting, so somebody let this account in."""
-- false_positives = ["Members of Remote Management Users; endpoints for helpdesks (JEA sessions are left out)"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_session_configurations"]
-- requires = [{channel = "Security", event_id = [4624]},
--     {channel = "Microsoft-Windows-WinRM/Operational", event_id = [91]}]
-- ---
-- Where the logon does not tell of its token (before Windows 10), a missing 4672 alone is no proof.
SELECT session.start_time AS event_time, place.host, place.written_name AS computer, account(session.user_domain, session.user_name) AS user_name,
    coalesce(account(session.user_domain, session.user_name), 'Somebody') || ' has a remoting session on ' || place.written_name || coalesce(' from ' || source_ip, '')
        || ' without administrator''s rights (session ' || session_id || ')' AS summary,
    (SELECT list_sort(list(DISTINCT witness.event_key)) FROM remoting_witness AS witness JOIN counted_event USING (event_key)
     WHERE witness.session_id = session.session_id AND role = 'logon' AND event_id = 4624) AS evidence,
    session_id
FROM remoting_session AS session
JOIN remoting_logon ON remoting_logon.core_number = session.core_number AND role = 'principal'
JOIN logon_session AS logon ON logon.event_keys[1] = logon_key
JOIN computer_name AS place ON place.computer = target_computer
WHERE logon.source = '4624' AND NOT logon.is_privileged AND logon.is_elevated = false AND run_as_user_name IS NULL
    -- 4672 is logged here for others, so its absence means something.
    AND EXISTS (SELECT 1 FROM special_privilege WHERE lower(special_privilege.computer) = target_computer)
ORDER BY event_time, session_id
