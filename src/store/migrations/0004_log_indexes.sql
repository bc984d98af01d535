-- What the log is asked for among millions: one plan, some days, what did not succeed. Equal plan ids
-- stand in the order of seq by themselves.

CREATE INDEX activities_by_plan ON activities (plan_id);
CREATE INDEX activities_by_time ON activities (at);
CREATE INDEX activities_by_outcome ON activities (outcome) WHERE outcome <> 'succeeded';
