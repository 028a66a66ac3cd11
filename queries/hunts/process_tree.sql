-- ---
-- id = "process_tree"
-- title = "A process with its ancestors and descendants"
-- description = """The tree around one process: all that led to it and all that it started, in order, with the depth."""
-- [params.event_key]
-- type = "integer"
-- default = 1
-- description = "event_key of a record of the process: its start or its end"
-- ---
WITH chosen AS (SELECT * FROM process WHERE list_contains(event_keys, $event_key))
SELECT process.start_time, process.end_time, len(process.ancestors) AS depth,
    repeat('  ', len(process.ancestors)) || coalesce(process.command_line, process.image, process.program) AS command, process.user_name,
    process.process_id, process.computer, process.process_key AS event_key
FROM process JOIN chosen ON process.process_key = chosen.process_key OR list_contains(chosen.ancestors, process.process_key)
    OR list_contains(process.ancestors, chosen.process_key)
ORDER BY process.start_time, process.process_key
