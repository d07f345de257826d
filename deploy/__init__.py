"""Where the parts are put together: one machine (`local`), the `souk` command (`cli`), containers and clusters."""
