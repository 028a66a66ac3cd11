-- ---
-- id = "machine_password_reset_anonymously"
-- title = "A computer's password was reset by nobody (Zerologon)"
-- level = "critical"
-- attack = ["T1210"]
-- description = """ANONYMOUS LOGON changed the password of a computer account: no administration does that. On a domain controller's own account
-- it is what Zerologon (CVE-2020-1472) leaves."""
-- false_positives = ["None known"]
-- references = ["https://support.microsoft.com/topic/how-to-manage-the-changes-in-netlogon-secure-channel-connections-associated-with-cve-2020-1472-f7e8cc17-0309-1d6a-304e-5ba73cd1a11e"]
-- requires = [{channel = "Security", event_id = [4742]}]
-- ---
SELECT event_time, host, computer, account(user_domain, user_name) AS user_name,
    'The password of ' || coalesce(target_name, 'a computer account') || ' was reset by ANONYMOUS LOGON at ' || show_time(event_time) AS summary,
    [event_key] AS evidence
FROM account_change
WHERE event_id = 4742 AND user_sid = 'S-1-5-7' AND password_last_set IS NOT NULL
ORDER BY event_time, event_key
