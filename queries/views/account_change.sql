-- ---
-- id = "account_change"
-- title = "Changes of accounts and groups"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Accounts created, enabled, changed, deleted, locked; passwords reset; members added to and removed from
-- groups. target_ is the account, or the group when a member is given; user_name is who did it."""
-- ---
-- Group events: global 4728/4729, local 4732/4733, universal 4756/4757. MemberName is "-" for local accounts: go by the SID.
-- In 4738 and 4742 values that did not change are "-". UAC values are SAM flags (0x2000 trusted for delegation), not LDAP's.
SELECT
    event_key, event_time, host, computer, event_id,
    CASE event_id
        WHEN 4720 THEN 'account created' WHEN 4722 THEN 'account enabled' WHEN 4723 THEN 'own password changed'
        WHEN 4724 THEN 'password reset' WHEN 4725 THEN 'account disabled' WHEN 4726 THEN 'account deleted'
        WHEN 4738 THEN 'account changed' WHEN 4740 THEN 'account locked' WHEN 4767 THEN 'account unlocked'
        WHEN 4781 THEN 'account renamed' WHEN 4765 THEN 'SID history added' WHEN 4741 THEN 'computer account created'
        WHEN 4742 THEN 'computer account changed' WHEN 4743 THEN 'computer account deleted'
        WHEN 4729 THEN 'member removed' WHEN 4733 THEN 'member removed' WHEN 4757 THEN 'member removed'
        ELSE 'member added' END AS kind,
    coalesce(target_user_name, data.OldTargetUserName) AS target_name,
    known(target_domain_name) AS target_domain,      -- 4740: the computer where it was locked
    data.TargetSid AS target_sid,
    known(data.NewTargetUserName) AS new_name,
    known(data.MemberName) AS member_name, -- a distinguished name
    known(data.MemberSid) AS member_sid,
    subject_user_name AS user_name, subject_domain_name AS user_domain,
    data.SubjectUserSid AS user_sid,
    subject_logon_id AS logon_id,
    as_integer(data.OldUacValue) AS old_uac,
    as_integer(data.NewUacValue) AS new_uac,
    known(data.AllowedToDelegateTo) AS allowed_to_delegate_to,
    known(data.PasswordLastSet) AS password_last_set,
    known(data.ServicePrincipalNames) AS service_principal_names
FROM (SELECT *, fields(event_data, 'OldTargetUserName, TargetSid, NewTargetUserName, MemberName, MemberSid, SubjectUserSid, OldUacValue, NewUacValue, AllowedToDelegateTo, PasswordLastSet, ServicePrincipalNames') AS data FROM rare_event)
WHERE event_id IN (4720, 4722, 4723, 4724, 4725, 4726, 4728, 4729, 4732, 4733, 4738, 4740, 4741, 4742, 4743, 4756, 4757,
                   4765, 4767, 4781)
    AND provider = 'Microsoft-Windows-Security-Auditing'
