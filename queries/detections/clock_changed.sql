-- ---
-- id = "clock_changed"
-- title = "The computer's clock was set"
-- level = "low"
-- other_levels = ["medium"]  # by a user
-- attack = ["T1070.006"]
-- description = """The clock was set by minutes or more (4616, Kernel-General 1 where it names the program), not by Windows' time service and not by the tools of a virtual machine.
-- Times of this computer before and after cannot be compared as they stand; see clock_skew for the difference to other hosts."""
-- false_positives = ["Users who correct the clock or change the date", "Other vendors' time synchronisation"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4616"]
-- requires = [{channel = "Security", event_id = [4616]}, {channel = "System", event_id = [1]}]
-- [params.min_minutes]
-- type = "integer"
-- default = 5
-- description = "So many minutes at least: Kerberos breaks at 5, and a drift is corrected in seconds"
-- ---
-- Windows 7 writes date and time apart and in the user's language; where that is no time for us, the size of the step is unknown and told so.
-- Kernel-General 1 names no user, and before it named the program it told every wake-up from standby in the same words.
WITH change AS (
    SELECT event_key, event_time, host, computer, account(subject_domain_name, subject_user_name) AS user_name, event_data->>'SubjectUserSid' AS user_sid, process_name,
        TRY_CAST(event_data->>'PreviousTime' AS TIMESTAMP) AS old_time, TRY_CAST(event_data->>'NewTime' AS TIMESTAMP) AS new_time,
        event_data->>'PreviousDate' IS NOT NULL AS is_old_format
    FROM rare_event WHERE event_id = 4616 AND provider = 'Microsoft-Windows-Security-Auditing'
        AND NOT regexp_matches(coalesce(process_name, ''), '(?i)^[a-z]:\\windows\\system32\\svchost\.exe$|\\(vmtoolsd|vboxservice|prl_tools_service|xenguestagent|qemu-ga)\.exe$')
    UNION ALL
    SELECT event_key, event_time, host, computer, NULL, NULL, event_data->>'ProcessName',
        TRY_CAST(event_data->>'OldTime' AS TIMESTAMP), TRY_CAST(event_data->>'NewTime' AS TIMESTAMP), false
    FROM rare_event WHERE event_id = 1 AND provider = 'Microsoft-Windows-Kernel-General' AND known(event_data->>'ProcessName') IS NOT NULL
        AND NOT regexp_matches(event_data->>'ProcessName', '(?i)\\(svchost|vmtoolsd|vboxservice|prl_tools_service|xenguestagent|qemu-ga)\.exe$')
),
-- One change is told by both logs.
told AS (
    SELECT *, round(epoch(new_time - old_time) / 60)::BIGINT AS minutes, date_trunc('minute', coalesce(new_time, event_time)) AS moment
    FROM change WHERE is_old_format OR abs(epoch(new_time - old_time)) >= 60 * $min_minutes
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, max(user_name) AS user_name,
    coalesce(max(user_name), 'Somebody') || ' set the clock of ' || coalesce(computer, 'an unnamed computer')
        || coalesce(CASE WHEN arg_min(minutes, event_key) < 0 THEN ' back by ' ELSE ' forward by ' END || counted(abs(arg_min(minutes, event_key)), 'minute'), ' by a step that is not told in UTC')
        || CASE WHEN count(old_time) > 0 AND count(new_time) > 0
            THEN ' from ' || show_time(arg_min(old_time, event_key)) || ' to ' || show_time(arg_min(new_time, event_key)) ELSE '' END || coalesce(' by ' || excerpt(min(process_name), 100), '') AS summary,
    list_sort(list(event_key)) AS evidence, arg_min(minutes, event_key) AS minutes,
    CASE WHEN bool_or(starts_with(user_sid, 'S-1-5-21-')) THEN 'medium' END AS level
FROM told GROUP BY computer, moment
ORDER BY event_time, evidence
