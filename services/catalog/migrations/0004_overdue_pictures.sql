-- migrate:up

-- Pictures that wait for an answer, the longest waiting first: event ids begin with the time they were written.
CREATE INDEX images_pending ON catalog.images (asked_by) WHERE status = 'pending';
