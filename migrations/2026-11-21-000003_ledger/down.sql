DROP TABLE limit_usage;
DROP TABLE account_delta;
DROP TABLE posting;
DROP TABLE entry;
DROP TABLE account;
