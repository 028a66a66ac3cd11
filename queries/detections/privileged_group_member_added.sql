-- ---
-- id = "privileged_group_member_added"
-- title = "Account added to a privileged group"
-- level = "medium"
-- attack = ["T1098.007", "T1136"]
-- description = """A member was added to a group that rules the computer or the domain (by SID, see macro
-- is_privileged_group). An account that was created just before is told: the classic way to leave a door open."""
-- false_positives = ["Help desk and provisioning", "Windows setup, which makes the first user an administrator"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4732"]
-- requires = [{channel = "Security", event_id = [4728, 4732, 4756, 4720]}]
-- [params.new_account_hours]
-- type = "integer"
-- default = 24
-- description = "An account created within so many hours before counts as new"
-- ---
-- 24 hours: an intruder does both in one go, provisioning often within the same day.
WITH addition AS (
    SELECT * FROM account_change
    WHERE kind = 'member added' AND is_privileged_group(target_sid)
),
-- MemberName is empty for local accounts; other events of the same SID know the name. SIDs are unique across computers.
named AS (
    SELECT target_sid, any_value(account(target_domain, target_name) ORDER BY event_time DESC, event_key) AS name
    FROM account_change
    WHERE starts_with(kind, 'account') AND event_id <> 4740     -- there the domain is a computer
    GROUP BY target_sid
),
created AS (
    SELECT a.event_key AS addition_key, max(c.event_time) AS created_time, list(c.event_key) AS created_keys
    FROM addition AS a
    JOIN account_change AS c ON c.kind = 'account created' AND c.target_sid = a.member_sid
        AND c.event_time BETWEEN a.event_time - to_hours($new_account_hours) AND a.event_time
    GROUP BY a.event_key
),
told AS (
    SELECT a.*, created_time, created_keys, account(a.user_domain, a.user_name) AS added_by,
        coalesce(name, a.member_name, CASE a.member_sid WHEN 'S-1-5-20' THEN 'NETWORK SERVICE' WHEN 'S-1-5-19' THEN 'LOCAL SERVICE'
            WHEN 'S-1-1-0' THEN 'Everyone' WHEN 'S-1-5-11' THEN 'Authenticated Users' ELSE a.member_sid END, 'an unnamed member') AS member
    FROM addition AS a
    LEFT JOIN named ON named.target_sid = a.member_sid
    LEFT JOIN created ON created.addition_key = a.event_key
)
SELECT event_time, host, computer, added_by AS user_name,
    coalesce(added_by, 'Somebody') || ' added ' || excerpt(member, 100) || ' to the group '
        || coalesce(account(target_domain, target_name), target_sid)
        || ' on ' || coalesce(computer, 'an unnamed computer') || ' at ' || show_time(event_time)
        || CASE WHEN created_time IS NOT NULL THEN '; the account was created only at ' || show_time(created_time) ELSE '' END
        -- RID 501 is the Guest account under whatever name.
        || CASE WHEN member_sid LIKE 'S-1-5-21-%-501' THEN '; the member is the Guest account' ELSE '' END AS summary,
    list_sort(list_distinct([event_key] || coalesce(created_keys, []))) AS evidence,
    member, member_sid, target_name AS group_name, target_sid AS group_sid, created_time
FROM told
ORDER BY event_time, event_key
