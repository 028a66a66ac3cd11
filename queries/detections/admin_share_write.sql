-- ---
-- id = "admin_share_write"
-- title = "Files written to an administrative share, or its pipes used"
-- level = "medium"
-- attack = ["T1021.002", "T1570"]
-- description = """From the network somebody wrote a file into ADMIN$ or a drive's share, or opened the pipes by which services and tasks are
-- made from afar (svcctl, atsvc, winreg). Where single files are not audited (5145), an administrative share that is opened again and
-- again (5140) stands for it: tools poll it for the output of their commands."""
-- false_positives = ["Deployment and backup software, remote administration"]
-- references = ["https://attack.mitre.org/techniques/T1021/002/"]
-- requires = [{channel = "Security", event_id = [5140, 5145]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- [params.min_opens]
-- type = "integer"
-- default = 10
-- description = "So often an administrative share is opened at least where nothing tells of its files"
-- ---
-- 0x2 writes or adds, 0x4 appends. PSEXESVC's own pipes are cited with what came before them.
WITH access AS (
    SELECT *, upper(share) IN ('ADMIN$') OR regexp_matches(share, '^[A-Za-z]\$$') AS is_admin_share,
        regexp_matches(path, '(?i)^(svcctl|atsvc|winreg)$') AS is_pipe
    FROM share_access WHERE ip IS NOT NULL AND NOT is_loopback(ip) AND NOT is_machine_account(account_user(user_name))
),
step AS (
    SELECT *, event_id = 5145 AND ((is_admin_share AND access_mask & 6 <> 0) OR coalesce(is_pipe, false)) AS is_act FROM access
    WHERE is_admin_share OR coalesce(is_pipe, false) OR is_psexec_name(path)
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name, ip ORDER BY event_time, event_key) AS previous FROM step),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name, ip ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    coalesce(arg_min(user_name, event_key), 'Somebody') || ' from ' || ip || ' wrote to or opened on ' || coalesce(computer, 'an unnamed computer')
        || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || CASE WHEN bool_or(is_act) THEN name_list(list(share || '\' || path) FILTER (is_act), 5)
                ELSE name_list(list(share), 3) || ', ' || counted(count(*), 'time') || ' (what was done there is not audited)' END AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, user_name, ip, island
HAVING bool_or(is_act) OR (count(*) >= $min_opens AND bool_and(event_id = 5140))
ORDER BY event_time, evidence
