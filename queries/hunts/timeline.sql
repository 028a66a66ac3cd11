-- ---
-- id = "timeline"
-- title = "The story in plain sentences"
-- description = """What happened, merged and in the order of time: a remoting session is one line where it begins and one where it ends,
-- with all the records that show it; a start that 4688 and Sysmon both logged is one line; findings and hops stand between.
-- Each line cites its records. By host, account, session or time; all of the case without any of them."""
-- [params.host]
-- type = "string"
-- default = ""
-- description = "Only this computer: short name, name or address"
-- [params.user]
-- type = "string"
-- default = ""
-- description = 'Only this account: name, DOMAIN\name or SID'
-- [params.session_id]
-- type = "integer"
-- default = 0
-- description = "Only this remoting session, with what ran in it and the hops out of it"
-- [params.from_time]
-- type = "timestamp"
-- default = 0001-01-01T00:00:00
-- description = "Only from this time on, UTC"
-- [params.to_time]
-- type = "timestamp"
-- default = 9999-01-01T00:00:00
-- description = "Only before this time, UTC"
-- [params.routine]
-- type = "boolean"
-- default = false
-- description = "With what machine accounts and services do all the time: their logons, tickets and connections"
-- ---
WITH witness AS (
    SELECT session_id, event_key, role,
        role IN ('child_process', 'descendant_process', 'script_block', 'module_log') AS is_content,
        role IN ('shell_end', 'host_process_end', 'engine_stop', 'client_close', 'logoff') AS is_end
    FROM remoting_witness
),
plumbing AS (
    SELECT session_id, list(DISTINCT event_key) FILTER (NOT is_end) AS start_keys, list(DISTINCT event_key) FILTER (is_end) AS end_keys
    FROM witness WHERE NOT is_content GROUP BY session_id
),
content AS (SELECT event_key, min(session_id) AS session_id FROM witness WHERE is_content GROUP BY event_key),
folded AS (SELECT DISTINCT event_key FROM witness WHERE NOT is_content),
session AS (
    SELECT *, account(user_domain, user_name) AS account_name,
        CASE kind WHEN 'powershell' THEN 'PowerShell' WHEN 'winrs' THEN 'winrs' ELSE 'WSMan' END || ' session '
            || session_id || ' of ' || coalesce(account(user_domain, user_name), source_user_name, 'an unknown account')
            || ' from ' || coalesce(source_computer, source_ip, 'an unknown source') || ' on ' || coalesce(target_computer, '?') AS words
    FROM remoting_session
),
line AS (
    SELECT start_time AS event_time, target_computer AS computer, 'session' AS kind, session_id, false AS is_routine,
        [target_computer, source_computer, source_ip] AS places, [account_name, source_user_name, run_as_user_name, user_sid] AS people,
        words || ' began' || coalesce(', authenticated by ' || authentication_package, '')
            || coalesce(', running as ' || run_as_user_name, '') || ' (confidence ' || confidence || ': ' || reason || ')' AS text,
        coalesce(start_keys, []) AS event_keys
    FROM session LEFT JOIN plumbing USING (session_id)
    UNION ALL
    SELECT end_time, target_computer, 'session', session_id, false, [target_computer, source_computer, source_ip],
        [account_name, source_user_name, run_as_user_name, user_sid],
        words || CASE end_reason WHEN 'closed' THEN ' was closed' WHEN 'killed' THEN ' ended without a word: its process was killed'
            WHEN 'reboot' THEN ' ended with the reboot' ELSE ' was seen for the last time' END
            || ' after ' || counted(round(epoch(end_time - start_time))::BIGINT, 'second'),
        coalesce(end_keys, [])
    FROM session LEFT JOIN plumbing USING (session_id) WHERE end_time IS NOT NULL
    UNION ALL
    SELECT event_time, via_computer, 'hop', from_session_id, false, [source_computer, via_computer, to_computer], [user_name, next_user_name],
        'From within session ' || from_session_id || ' ' || coalesce(user_name, 'somebody')
            || CASE WHEN is_failed THEN ' tried to go on from ' ELSE ' went on from ' END || via_computer || ' to ' || coalesce(to_computer, '?')
            || CASE WHEN next_user_name IS NOT NULL AND lower(next_user_name) <> lower(coalesce(user_name, '')) THEN ' as ' || next_user_name ELSE '' END
            || CASE WHEN is_failed THEN ' and was refused' ELSE ' by ' || replace(method, '_', ' ') END
            || coalesce(', session ' || to_session_id, '') || ' (confidence ' || confidence || ': ' || reason || ')',
        event_keys
    FROM hop
    UNION ALL
    SELECT finding.event_time, lower(finding.computer), 'finding', min(content.session_id), false, [lower(finding.computer)], [finding.user_name],
        upper(finding.level) || ': ' || finding.title || ': ' || finding.summary, list(evidence.event_key)
    FROM finding JOIN finding_evidence AS evidence USING (finding_id) LEFT JOIN content USING (event_key)
    WHERE finding.allowed_reason IS NULL
    GROUP BY finding_id, finding.event_time, finding.computer, finding.user_name, finding.level, finding.title, finding.summary
    UNION ALL
    SELECT start_time, process.computer, 'process', (SELECT min(content.session_id) FROM content WHERE content.event_key = process.process_key),
        coalesce(is_machine_account(user_name), true) AND process_key NOT IN (SELECT event_key FROM content),
        [process.computer], [account(user_domain, user_name)],
        coalesce(account(user_domain, user_name), 'Somebody') || ' started ' || coalesce(command_line, image, 'a process')
            || ' (process ' || process_id || coalesce(' of ' || parent_program, '') || ')',
        event_keys
    FROM process WHERE process_key NOT IN (SELECT event_key FROM folded)
    UNION ALL
    SELECT block.event_time, lower(block.computer), 'script block', content.session_id,
        false, [lower(block.computer)], [account(account_sid.user_domain, account_sid.user_name), block.user_sid],
        coalesce(account(account_sid.user_domain, account_sid.user_name), block.user_sid, 'Somebody') || ' ran '
            || CASE WHEN parts_found < parts_total THEN '(' || parts_found || ' of ' || parts_total || ' parts are there) ' ELSE '' END
            || excerpt(block.text, 500)
            || coalesce(' [decoded, ' || decoded.method || ': ' || excerpt(decoded.text, 300) || ']', ''),
        block.event_keys
    FROM script_block AS block LEFT JOIN content USING (event_key)
    LEFT JOIN account_sid ON account_sid.user_sid = block.user_sid
    LEFT JOIN decoded_text AS decoded ON decoded.event_key = block.event_key AND decoded.layer = 1
    UNION ALL
    SELECT event_time, lower(computer), activity.kind, content.session_id,
        activity.kind IN ('logon', 'logoff', 'privileges', 'Kerberos', 'network', 'share', 'WinRM', 'explicit credential')
            AND coalesce(is_machine_account(account_user(user_name)), activity.kind IN ('network', 'WinRM')),
        [lower(computer), ip], [user_name],
        CASE activity.kind WHEN 'network' THEN text WHEN 'PowerShell engine' THEN 'PowerShell ' || text
            WHEN 'WinRM' THEN 'WinRM: ' || text || coalesce(' (' || user_name || ')', '')
            WHEN 'Kerberos' THEN coalesce(user_name, 'Somebody') || ' asked for a ' || text
            WHEN 'account' THEN coalesce(user_name, 'Somebody') || ': ' || text
            ELSE coalesce(user_name, 'Somebody') || ' ' || text END,
        [event_key]
    FROM activity LEFT JOIN content USING (event_key)
    WHERE activity.kind NOT IN ('process', 'script block') AND event_key NOT IN (SELECT event_key FROM folded)
),
chosen AS (
    SELECT row_number() OVER (ORDER BY event_time, kind = 'finding', kind <> 'session', kind, text, event_keys) AS line_number, *
    FROM line
    WHERE event_time >= $from_time AND event_time < $to_time
        AND ($routine OR NOT is_routine)
        AND ($session_id = 0 OR session_id = $session_id)
        AND ($host = '' OR len(list_filter(places, lambda place: lower(place) = lower($host) OR short_host(place) = lower($host))) > 0)
        AND ($user = '' OR len(list_filter(people, lambda person: lower(person) = lower($user) OR lower(account_user(person)) = lower($user))) > 0)
),
cited AS (
    SELECT line_number,
        list(DISTINCT words || CASE WHEN citation.computer <> chosen.computer THEN ' on ' || short_host(citation.computer) ELSE '' END) AS records
    FROM (SELECT line_number, computer, unnest(event_keys) AS event_key FROM chosen) AS chosen JOIN citation USING (event_key)
    GROUP BY line_number
)
SELECT event_time, computer, kind, text, name_list(records, 6) AS records, session_id, list_sort(event_keys) AS event_keys,
    people[1] AS user_name
FROM chosen LEFT JOIN cited USING (line_number)
ORDER BY line_number
