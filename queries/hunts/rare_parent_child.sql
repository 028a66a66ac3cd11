-- ---
-- id = "rare_parent_child"
-- title = "Programs below parents that rarely start them"
-- description = """Pairs of parent and child program by how often they occur in the whole case, the rarest first, with an example."""
-- [params.most_starts]
-- type = "integer"
-- default = 3
-- description = "Only pairs with so many starts at most"
-- ---
SELECT parent_program, program, count(*) AS starts, count(DISTINCT computer) AS computers, min(start_time) AS first_time,
    arg_min(coalesce(command_line, image), process_key) AS example, arg_min(computer, process_key) AS computer, min(process_key) AS event_key
FROM process
WHERE parent_program IS NOT NULL
GROUP BY parent_program, program
HAVING count(*) <= $most_starts
ORDER BY starts, parent_program, program
