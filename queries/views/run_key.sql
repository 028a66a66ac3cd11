-- ---
-- id = "run_key"
-- title = "Values of Run keys"
-- description = """Values below the keys from which Windows starts programs at logon, as they were set: registry_change of Run, RunOnce, RunOnceEx,
-- RunServices, and the policies' Run."""
-- ---
SELECT * FROM registry_change
WHERE kind = 'set' AND regexp_matches(key_path, '(?i)\\CurrentVersion\\(Policies\\Explorer\\)?Run(Once|OnceEx|Services|ServicesOnce)?\\')
