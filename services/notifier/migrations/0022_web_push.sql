-- migrate:up

ALTER TABLE notifier.preferences ADD COLUMN push boolean NOT NULL DEFAULT true;

-- The browsers that show a person's notifications, by the address at which their push service takes messages for them
-- and the keys to encrypt with. `vendor_id` is whose inbox it is about, null for the marketplace's. A browser is one
-- person's: who signs in there next and subscribes takes it over.
CREATE TABLE notifier.push_subscriptions (
    id            uuid        PRIMARY KEY,
    account_id    uuid        NOT NULL,
    vendor_id     uuid,
    endpoint      text        NOT NULL UNIQUE CHECK (length(endpoint) <= 1000),
    p256dh        text        NOT NULL,
    auth          text        NOT NULL,
    name          text        NOT NULL,
    subscribed_at timestamptz NOT NULL
);
CREATE INDEX push_subscriptions_of_account ON notifier.push_subscriptions (account_id, id DESC);
CREATE INDEX push_subscriptions_of_vendor ON notifier.push_subscriptions (vendor_id) WHERE vendor_id IS NOT NULL;
CREATE INDEX push_subscriptions_of_admins ON notifier.push_subscriptions (id) WHERE vendor_id IS NULL;

-- Which browser was told of which notification. The guard of its push: a row is never pushed again. It goes with the
-- notification, which is kept longer than a failed job can be retried.
CREATE TABLE notifier.push_deliveries (
    notification_id uuid        NOT NULL REFERENCES notifier.notifications (id) ON DELETE CASCADE,
    subscription_id uuid        NOT NULL REFERENCES notifier.push_subscriptions (id) ON DELETE CASCADE,
    outcome         text        NOT NULL CHECK (outcome IN ('sent', 'refused', 'given_up')),
    answered_at     timestamptz NOT NULL,
    PRIMARY KEY (notification_id, subscription_id)
);
CREATE INDEX push_deliveries_of_subscription ON notifier.push_deliveries (subscription_id);
