DROP TABLE test_payment;
