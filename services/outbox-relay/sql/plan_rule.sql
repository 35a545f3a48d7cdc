-- What the schema's owner asks for.
SELECT two_person FROM plan_settings
