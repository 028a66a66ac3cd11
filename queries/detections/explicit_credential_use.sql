-- ---
-- id = "explicit_credential_use"
-- title = "Another account's password used"
-- level = "informational"
-- other_levels = ["medium"]  # by a program that has no business with passwords, or for several accounts
-- attack = ["T1078", "T1134.002"]
-- description = """4648: somebody gave another account's password to a program, towards a named server. Medium if the program is a web or database
-- server, a script host or lies where users may write (the local computer counts then too), or if one user does it for several accounts
-- within minutes. Out of a remoting session it is second_hop_explicit_credentials, of many accounts password_spray."""
-- false_positives = ["Administrators who use runas, net use or -Credential", "Scheduled tasks and services that log on as another account"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4648"]
-- requires = [{channel = "Security", event_id = [4648]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Uses by one account and program this close together are one finding"
-- [params.min_accounts]
-- type = "integer"
-- default = 3
-- description = "So many different accounts at least make it medium; people have one or two besides their own"
-- ---
-- Windows itself logs on users at the console, for services and for tasks: winlogon, services, lsass, taskhostw, consent, the Schedule service.
WITH used AS (
    SELECT *, lower(account_user(subject_user_name)) AS subject, file_name(process_name) AS program,
        coalesce(regexp_matches(process_name, '(?i)\\(temp|tmp|users\\public|appdata|programdata|downloads|perflogs)\\')
            OR file_name(process_name) IN ('w3wp.exe', 'sqlservr.exe', 'httpd.exe', 'tomcat.exe', 'java.exe', 'mshta.exe', 'wscript.exe', 'cscript.exe',
                'rundll32.exe', 'regsvr32.exe', 'winword.exe', 'excel.exe', 'outlook.exe'), false) AS is_strange_program
    FROM explicit_credential
    WHERE user_name IS NOT NULL AND lower(user_name) <> lower(coalesce(subject_user_name, '')) AND NOT is_machine_account(user_name)
),
chosen AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, subject, program ORDER BY event_time, event_key) AS previous
    FROM used
    WHERE is_strange_program OR (NOT is_machine_account(subject_user_name)
        AND coalesce(program, '') NOT IN ('winlogon.exe', 'services.exe', 'lsass.exe', 'taskhost.exe', 'taskhostw.exe', 'consent.exe', 'logonui.exe'))
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, subject, program ORDER BY event_time, event_key) AS island FROM chosen
),
bout AS (
    SELECT computer, subject, program, island, arg_min(host, event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time,
        arg_min(account(subject_user_domain, subject_user_name), event_key) AS user_name, arg_min(process_name, event_key) AS process_name,
        list(account(user_domain, user_name)) AS accounts, count(DISTINCT lower(user_name)) AS account_count, list(target_server) AS servers,
        bool_and(is_local) AS is_local,
        bool_or(is_strange_program) AS is_strange_program, count(*) AS uses, list_sort(list(event_key)) AS evidence
    FROM numbered GROUP BY computer, subject, program, island
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' used the password of ' || name_list(accounts, 4) || ' on ' || coalesce(computer, 'an unnamed computer')
        || coalesce(' for ' || name_list(servers, 4), '') || coalesce(' by ' || excerpt(process_name, 100), '') || ', ' || counted(uses, 'time') || ' '
        || show_span(event_time, last_time) AS summary,
    evidence, account_count, process_name, CASE WHEN is_strange_program OR account_count >= $min_accounts THEN 'medium' END AS level
FROM bout
-- One other account on this computer itself is what runas is for.
WHERE NOT is_local OR is_strange_program OR account_count >= $min_accounts
ORDER BY event_time, evidence
