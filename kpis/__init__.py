"""What a number means: the plant model, the events, the accounts and the KPIs."""
