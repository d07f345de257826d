"""How much anybody may ask for, and what is left undone when the gateway falls behind."""
