-- ---
-- id = "remoting_child"
-- title = "Programs started through PowerShell Remoting or winrs"
-- description = """Child processes of wsmprovhost.exe (PowerShell Remoting) and winrshost.exe (winrs), by the parent's name or,
-- where 4688 does not log it (before Windows 10 1607), by its process id."""
-- ---
SELECT * FROM process_start
WHERE parent_program IN ('wsmprovhost.exe', 'winrshost.exe')
UNION ALL
SELECT child.* REPLACE (parent.image AS parent_image, parent.program AS parent_program)
FROM process_start AS parent
JOIN process_start AS child ON child.computer = parent.computer AND child.parent_process_id = parent.process_id
    AND child.event_time > parent.event_time
WHERE parent.program IN ('wsmprovhost.exe', 'winrshost.exe') AND parent.source = '4688'
    AND child.parent_image IS NULL AND child.source = '4688'
    -- Process ids are used again: no other process got the parent's id meanwhile.
    AND NOT EXISTS (
        SELECT 1 FROM process_start AS later
        WHERE later.computer = parent.computer AND later.process_id = parent.process_id AND later.source = '4688'
            AND later.event_time > parent.event_time AND later.event_time < child.event_time)
