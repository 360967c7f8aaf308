-- What a call is to PostgreSQL, and the ledger in which it leaves its trace. A row is written in
-- the caller's own transaction: rows that are committed are executions.
CREATE TABLE chaos_ledger (
    nonce text NOT NULL,
    is_unsafe boolean NOT NULL,
    at timestamptz NOT NULL,
    transaction_of text,
    session_of text
);

-- Calls of a group wait for one another by a sequence, which is never part of a transaction.
DO $$ BEGIN
    FOR number IN 0..63 LOOP
        EXECUTE format('CREATE SEQUENCE %I', 'chaos_meeting_' || number);
    END LOOP;
END $$;

CREATE FUNCTION chaos_meet(meeting text, together int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place regclass := ('chaos_meeting_' || (hashtext(meeting) & 63))::regclass;
    give_up timestamptz := clock_timestamp() + interval '3 seconds';
    arrived bigint := nextval(place);
BEGIN
    WHILE arrived < together LOOP
        IF clock_timestamp() > give_up THEN
            RAISE EXCEPTION 'fewer than % calls came together', together;
        END IF;
        PERFORM pg_sleep(0.005);
        EXECUTE format('SELECT last_value FROM %s', place) INTO arrived;
    END LOOP;
END $$;

-- What an earlier caller left in this session: its name, if it is another one's.
CREATE FUNCTION chaos_left(what text, nonce text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    left_by text := nullif(current_setting('chaos.' || what, true), '');
BEGIN
    IF left_by = nonce THEN
        RETURN NULL;
    END IF;
    IF left_by IS NOT NULL THEN  -- in the log as well: a row is lost with its transaction
        RAISE LOG 'chaos_left % % % %',
            what, left_by, nonce, extract(epoch FROM clock_timestamp());
    END IF;
    RETURN left_by;
END $$;

CREATE FUNCTION chaos_call(
    nonce text, size int, slow float8, is_unsafe boolean, is_marking boolean, together int,
    meeting text, body text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text := nonce || E'\n';
BEGIN
    INSERT INTO chaos_ledger VALUES (
        nonce, is_unsafe, clock_timestamp(),
        chaos_left('transaction', nonce), chaos_left('session', nonce)
    );
    PERFORM set_config('chaos.transaction', nonce, true);
    IF is_marking THEN
        PERFORM set_config('chaos.session', nonce, false);
    END IF;
    IF slow > 0 THEN
        PERFORM pg_sleep(slow);
    END IF;
    IF together > 0 THEN
        PERFORM chaos_meet(meeting, together);
    END IF;
    RETURN left(repeat(line, size / length(line) + 1), greatest(size, length(line)));
END $$;
