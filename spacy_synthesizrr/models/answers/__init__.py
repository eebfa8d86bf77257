"""What was answered and what it cost: the response store, its ledger and the caps."""
