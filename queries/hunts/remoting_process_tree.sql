-- ---
-- id = "remoting_process_tree"
-- title = "Everything that ran below remoting's host processes"
-- description = """FireEye 2014, row "process tree" (FE9): svchost.exe (DcomLaunch), wsmprovhost.exe or winrshost.exe below it, and all that they started,
-- children of children too. By policy (4688) or Sysmon. Odd host processes are in remoting_host_process."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- ---
WITH root AS (SELECT * FROM process WHERE program IN ('wsmprovhost.exe', 'winrshost.exe')),
below AS (
    SELECT root.process_key AS root_key, child.*, len(child.ancestors) - coalesce(list_position(child.ancestors, root.process_key), len(child.ancestors)) + 1 AS depth
    FROM root JOIN process AS child ON list_contains(child.ancestors, root.process_key)
    UNION ALL
    SELECT process_key, *, 0 FROM root
    UNION ALL
    -- The host process itself was not logged: its children name it.
    SELECT NULL, *, 1 FROM process WHERE parent_key IS NULL AND parent_program IN ('wsmprovhost.exe', 'winrshost.exe')
)
SELECT start_time, end_time, computer, depth, repeat('    ', depth::INTEGER) || program AS tree, account(user_domain, user_name) AS user_name, process_id, parent_program, command_line, image, root_key, event_keys
FROM below
ORDER BY computer, coalesce(root_key, process_key), start_time, process_key
