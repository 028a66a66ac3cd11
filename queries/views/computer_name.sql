-- ---
-- id = "computer_name"
-- title = "Computers as their logs write them"
-- materialize = true  # reads every event: computed once for all
-- description = """One row a computer: its name in lower case, as correlated tables have it, and as the events write it, with its host. computer_number stands for it in joins of many rows."""
-- ---
SELECT lower(computer) AS computer, row_number() OVER (ORDER BY lower(computer))::INTEGER AS computer_number,
    arg_min(computer, event_key) AS written_name, arg_min(host, event_key) AS host
FROM counted_event WHERE computer IS NOT NULL
GROUP BY lower(computer)
