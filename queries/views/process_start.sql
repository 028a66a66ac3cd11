-- ---
-- id = "process_start"
-- title = "Started processes"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Security 4688 and Sysmon 1 as one shape; a computer with both has each start twice. logon_id and
-- user_name are those the process runs with. Process ids are reused: join on process_guid where Sysmon gives it."""
-- ---
-- 4688: CommandLine is empty unless the policy "include command line" is set. TargetLogonId (from version 2, 2016) is
-- 0x0 when the process runs with its creator's logon. ParentProcessName is missing before Windows 10 1607.
WITH security AS (
    SELECT *, fields(event_data, 'NewProcessId, ProcessId, MandatoryLabel') AS data
    FROM counted_event WHERE event_id = 4688 AND provider = 'Microsoft-Windows-Security-Auditing'
),
sysmon AS (
    SELECT *, fields(event_data, 'User, ProcessId, ParentProcessId, IntegrityLevel, CurrentDirectory, Hashes, LogonGuid') AS data
    FROM counted_event WHERE event_id = 1 AND provider = 'Microsoft-Windows-Sysmon'
),
started AS (
    SELECT event_key, event_time, host, computer, '4688' AS source,
        known(new_process_name) AS image,
        known(command_line) AS command_line,
        coalesce(CASE WHEN target_logon_id <> 0 THEN known(target_user_name) END, subject_user_name) AS user_name,
        CASE WHEN target_logon_id <> 0 AND known(target_user_name) IS NOT NULL THEN target_domain_name
             ELSE subject_domain_name END AS user_domain,
        coalesce(nullif(target_logon_id, 0), subject_logon_id) AS logon_id,
        subject_logon_id AS creator_logon_id,
        as_integer(data.NewProcessId) AS process_id,
        NULL AS process_guid,
        as_integer(data.ProcessId) AS parent_process_id,
        NULL AS parent_process_guid,
        known(parent_process_name) AS parent_image,
        NULL AS parent_command_line,
        -- The last part of an integrity SID, in steps of 0x1000.
        CASE data.MandatoryLabel WHEN 'S-1-16-0' THEN 'Untrusted' WHEN 'S-1-16-4096' THEN 'Low'
            WHEN 'S-1-16-8192' THEN 'Medium' WHEN 'S-1-16-12288' THEN 'High' WHEN 'S-1-16-16384' THEN 'System' END AS integrity_level,
        NULL AS original_file_name, NULL AS current_directory, NULL AS hashes,
        NULL AS sysmon_logon_guid  -- Sysmon's own: machine, time of the logon and logon id, not the LogonGuid of 4624
    FROM security
    UNION ALL
    SELECT event_key, event_time, host, computer, 'Sysmon',
        image, known(command_line), account_user(data.User), account_domain(data.User), logon_id, NULL,
        as_integer(data.ProcessId), process_guid,
        as_integer(data.ParentProcessId), parent_process_guid, known(parent_image), known(parent_command_line),
        data.IntegrityLevel, known(original_file_name), data.CurrentDirectory, data.Hashes, clean_guid(data.LogonGuid)
    FROM sysmon
)
SELECT *, file_name(image) AS program, file_name(parent_image) AS parent_program
FROM started
