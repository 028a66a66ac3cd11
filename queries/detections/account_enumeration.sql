-- ---
-- id = "account_enumeration"
-- title = "Accounts and groups enumerated"
-- level = "low"
-- other_levels = ["medium"]  # over the network on several computers, or many objects
-- attack = ["T1087.001", "T1087.002", "T1069.001", "T1069.002"]
-- description = """Somebody listed users and groups: local ones one after another (4798, 4799), objects of the account database (4661), or over the
-- pipes that tools such as BloodHound and PsLoggedOn ask (samr, lsarpc, srvsvc, winreg; 5145). All are off by default. Medium where one
-- address asks several computers, or many objects were opened."""
-- false_positives = ["Consoles for users and groups, inventory, vulnerability scanners", "Domain controllers are asked by everybody: the pipes there count only together"]
-- references = ["https://attack.mitre.org/techniques/T1087/", "https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4799"]
-- requires = [{channel = "Security", event_id = [4661, 4798, 4799, 5145]}]
-- [params.window_minutes]
-- type = "integer"
-- default = 10
-- description = "Steps of one account this close together are one finding"
-- [params.min_groups]
-- type = "integer"
-- default = 3
-- description = "Local users and groups that were listed; from over the network or by net.exe each counts twice"
-- [params.min_objects]
-- type = "integer"
-- default = 10
-- description = "Objects of the account database that were opened, for a medium finding; one privileged group makes a low one"
-- [params.min_pipes]
-- type = "integer"
-- default = 3
-- description = "Different pipes of one computer; a mapped drive opens one or two"
-- [params.min_computers]
-- type = "integer"
-- default = 3
-- description = "Computers whose pipes one address opened"
-- ---
-- 4799 of the network has no caller ("-"); Windows' own callers run as machine accounts.
WITH step AS (
    SELECT event_key, event_time, host, computer, account(subject_domain_name, subject_user_name) AS user_name, NULL AS ip, 'group' AS kind,
        coalesce(target_user_name, '?') AS object, CASE WHEN known(event_data->>'CallerProcessName') IS NULL OR file_name(event_data->>'CallerProcessName') IN ('net.exe', 'net1.exe',
            'powershell.exe', 'pwsh.exe', 'wmic.exe', 'cmd.exe') THEN 2 ELSE 1 END AS weight
    FROM rare_event WHERE event_id IN (4798, 4799) AND provider = 'Microsoft-Windows-Security-Auditing' AND NOT is_machine_account(subject_user_name)
    UNION ALL
    SELECT event_key, event_time, host, computer, account(subject_domain_name, subject_user_name), NULL, 'object', event_data->>'ObjectName', 1
    FROM rare_event WHERE event_id = 4661 AND provider = 'Microsoft-Windows-Security-Auditing' AND NOT is_machine_account(subject_user_name)
        AND event_data->>'ObjectServer' = 'Security Account Manager'
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, ip, 'pipe', lower(pipe), 1
    FROM named_pipe
    WHERE event_id = 5145 AND lower(pipe) IN ('samr', 'lsarpc', 'srvsvc', 'winreg', 'wkssvc') AND NOT is_loopback(ip) AND NOT is_machine_account(account_user(user_name))
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY kind, user_name, coalesce(ip, computer) ORDER BY event_time, event_key) AS previous FROM step),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $window_minutes)) OVER (PARTITION BY kind, user_name, coalesce(ip, computer) ORDER BY event_time, event_key) AS island
    FROM stepped
),
bout AS (
    SELECT kind, user_name, ip, island, arg_min(host, event_key) AS host, arg_min(computer, event_key) AS computer, count(DISTINCT lower(computer)) AS computers,
        min(event_time) AS event_time, max(event_time) AS last_time, count(DISTINCT object) AS objects, list(object) AS names, list(computer) AS places,
        count(*) AS steps, list_sort(list(event_key)) AS evidence, max(weight) AS weight, bool_or(is_privileged_group(object)) AS is_privileged
    FROM numbered GROUP BY kind, user_name, ip, island, CASE WHEN ip IS NULL THEN computer END
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || coalesce(' from ' || ip, '') || CASE kind WHEN 'group' THEN ' listed local users and groups on '
            WHEN 'object' THEN ' opened objects of the account database on ' ELSE ' asked for accounts, shares and sessions on ' END
        || name_list(places, 5) || ' ' || show_span(event_time, last_time) || ': ' || name_list(names, 6) AS summary,
    evidence, kind, objects, computers, CASE WHEN computers >= $min_computers OR (kind = 'object' AND steps >= $min_objects) THEN 'medium' END AS level
FROM bout
WHERE CASE kind WHEN 'group' THEN objects * weight >= $min_groups WHEN 'object' THEN steps >= $min_objects OR is_privileged ELSE objects >= $min_pipes OR computers >= $min_computers END
ORDER BY event_time, evidence
