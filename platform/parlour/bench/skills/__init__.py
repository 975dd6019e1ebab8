"""How good skills are: each part measures one thing and puts tables into one report."""
