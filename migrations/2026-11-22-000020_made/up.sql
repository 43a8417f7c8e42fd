-- The id of what an approved change made, which had none while it waited: for whoever asked.
ALTER TABLE approval ADD COLUMN made text CHECK (length(made) BETWEEN 1 AND 200), ADD CHECK (made IS NULL OR status = 'applied');
