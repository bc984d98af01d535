-- Who wrote the commit that an activity came from. Rows from before have none, and the hash they had.

ALTER TABLE activities ADD COLUMN source_author TEXT;
