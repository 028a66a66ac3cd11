-- ---
-- id = "activity"
-- title = "What happened, as one timeline"
-- description = """The other views in one shape: when, where, who, from where, in which logon, and one sentence. For questions
-- about a user, an address, a logon id or a moment; ask the single views for their own columns."""
-- ---
SELECT event_key, event_time, host, computer, 'logon' AS kind, account(user_domain, user_name) AS user_name, ip, logon_id,
    'logged on (' || logon_type_name || coalesce(', ' || authentication_package, '') || ')'
        || coalesce(' from ' || coalesce(workstation || ' ', '') || ip, '') AS text
FROM logon
UNION ALL
SELECT event_key, event_time, host, computer, 'logoff', account(user_domain, user_name), NULL, logon_id, 'logged off'
FROM logoff
UNION ALL
SELECT event_key, event_time, host, computer, 'logon failure', account(user_domain, user_name), ip, NULL,
    'failed to log on: ' || reason || coalesce(' from ' || coalesce(ip, workstation), '')
FROM logon_failure
UNION ALL
SELECT event_key, event_time, host, computer, 'explicit credential', account(subject_user_domain, subject_user_name), ip, subject_logon_id,
    'used the password of ' || coalesce(account(user_domain, user_name), '?')
        || ' for ' || coalesce(target_server, '?') || coalesce(' by ' || process_name, '')
FROM explicit_credential
UNION ALL
SELECT event_key, event_time, host, computer, 'privileges', account(user_domain, user_name), NULL, logon_id, 'has administrative privileges'
FROM special_privilege
UNION ALL
SELECT event_key, event_time, host, computer, 'process', account(user_domain, user_name), NULL, logon_id,
    'started ' || coalesce(command_line, image) || coalesce(' from ' || parent_image, '')
FROM process_start
UNION ALL
SELECT event_key, event_time, host, computer, 'PowerShell engine', NULL, NULL, NULL,
    kind || coalesce(' (' || host_name || ', version ' || engine_version || ')', '') || coalesce(': ' || host_application, '')
FROM powershell_engine WHERE event_id <> 600
UNION ALL
SELECT event_key, event_time, host, computer, 'script block', user_sid, NULL, NULL, 'ran ' || excerpt(text, 500)
FROM script_block
UNION ALL
SELECT event_key, event_time, host, computer, 'module log', user_name, NULL, NULL, 'ran ' || excerpt(coalesce(command_line, payload), 500)
FROM module_log
UNION ALL
SELECT event_key, event_time, host, computer, 'WinRM', coalesce(user_name, user_sid), client_ip, NULL,
    kind || coalesce(': ' || nullif(concat_ws(' ', connection, resource_uri, authentication_mechanism, operation, error), ''), '')
FROM winrm
UNION ALL
SELECT event_key, event_time, host, computer, 'Kerberos', account(user_domain, user_name), ip, NULL,
    kind || ' for ' || coalesce(service_name, '?') || ': ' || coalesce(status_meaning, 'success')
FROM kerberos_ticket
UNION ALL
SELECT event_key, event_time, host, computer, 'service', account(user_domain, user_name), NULL, logon_id,
    'installed the service ' || service_name || ': ' || image_path
FROM service_install
UNION ALL
SELECT event_key, event_time, host, computer, 'scheduled task', user_name, NULL, logon_id,
    kind || ' the task ' || task_name || coalesce(': ' || command || coalesce(' ' || arguments, ''), '')
FROM scheduled_task
UNION ALL
SELECT event_key, event_time, host, computer, 'account', account(user_domain, user_name), NULL, logon_id,
    kind || ': ' || coalesce(account(target_domain, target_name), target_sid) || coalesce(', member ' || coalesce(member_name, member_sid), '')
FROM account_change
UNION ALL
SELECT event_key, event_time, host, computer, 'log cleared', account(user_domain, user_name), NULL, subject_logon_id,
    'cleared the log ' || coalesce(cleared_channel, '?')
FROM log_cleared
UNION ALL
SELECT event_key, event_time, host, computer, 'share', user_name, ip, logon_id, 'opened ' || share || coalesce('\' || path, '')
FROM share_access
UNION ALL
SELECT event_key, event_time, host, computer, 'network', user_name, CASE WHEN is_outbound THEN destination_ip ELSE source_ip END, NULL,
    image || CASE WHEN is_outbound THEN ' connected to ' || coalesce(destination_host || ' ', '') || coalesce(destination_ip, '?')
                       || ' port ' || coalesce(destination_port::VARCHAR, '?')
                  ELSE ' was reached from ' || coalesce(source_ip, '?') || ' on port ' || coalesce(destination_port::VARCHAR, '?') END
FROM network_connection
