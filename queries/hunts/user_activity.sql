-- ---
-- id = "user_activity"
-- title = "Everything about a user"
-- description = """The timeline of one user: by name, with or without domain, or by SID. Case does not matter."""
-- [params.user]
-- type = "string"
-- default = "Administrator"
-- description = 'Name, DOMAIN\name or SID'
-- ---
SELECT event_time, computer, kind, user_name, ip, logon_id, text, event_key
FROM activity
WHERE lower(user_name) = lower($user) OR lower(account_user(user_name)) = lower($user)
ORDER BY event_time, event_key
