DROP TRIGGER staff_sealed ON staff;
DROP FUNCTION staff_sealed();
DROP TABLE approval;
ALTER TABLE staff_session DROP COLUMN is_pending, DROP COLUMN device_id;
DROP TABLE staff_device;
DROP TABLE staff_recovery_code;
DROP TABLE staff_password;
ALTER TABLE staff
    DROP CONSTRAINT staff_totp_whole,
    DROP CONSTRAINT staff_totp_sealed,
    DROP COLUMN must_change_password,
    DROP COLUMN password_changed_at,
    DROP COLUMN active_at,
    DROP COLUMN totp_secret,
    DROP COLUMN totp_offered,
    DROP COLUMN totp_offered_at,
    DROP COLUMN partner_id,
    DROP COLUMN mode,
    DROP COLUMN totp_enrolled_at,
    DROP COLUMN totp_step;
DROP FUNCTION approval_sealed();
