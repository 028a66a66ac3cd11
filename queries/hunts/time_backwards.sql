-- ---
-- id = "time_backwards"
-- title = "Records whose time goes back while their number rises"
-- description = """Where a log's clock was set back: each pair of neighbours in one file of which the later record has the earlier time. After a boot the
-- hardware's clock, and on virtual machines the host's, does the same; clock_changed shows who did it where that is logged."""
-- [params.min_minutes]
-- type = "integer"
-- default = 5
-- description = "Only steps back of so many minutes at least; records of several threads lie milliseconds apart"
-- ---
SELECT DISTINCT computer, channel, last_number, next_number, from_time, to_time, step_back, event_keys
FROM time_step_back WHERE step_back > to_minutes($min_minutes)
ORDER BY step_back DESC, event_keys
