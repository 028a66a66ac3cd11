-- ---
-- id = "rare_event"
-- title = "Events of kinds that are rare"
-- materialize = true  # a dozen views and detections read it: reading a few records here and there in a big case costs as much as reading all
-- description = """The events that most logs have few of and many detections look at: changes of accounts, policies, services, tasks, the clock and
-- the directory, cleared logs, WMI subscriptions. The columns are those of event."""
-- ---
SELECT * FROM counted_event
WHERE event_id IN (104, 1100, 1102, 4608, 4616, 4661, 4697, 4698, 4699, 4700, 4701, 4702, 4719, 4720, 4722, 4723, 4724, 4725, 4726, 4728, 4729, 4732, 4733, 4738,
        4740, 4741, 4742, 4743, 4756, 4757, 4765, 4767, 4778, 4781, 4798, 4799, 4826, 4946, 4964, 5136, 5861, 7045, 10148, 32784, 2004, 5001, 5007, 5010, 5012, 106, 140, 141)
    -- Ids that other providers use all the time.
    OR (event_id IN (8, 19, 20, 21) AND provider = 'Microsoft-Windows-Sysmon')
    OR (event_id = 1 AND provider = 'Microsoft-Windows-Kernel-General')
