"""Types whose dependency is away: told by one worker, followed by all, tried by one."""
