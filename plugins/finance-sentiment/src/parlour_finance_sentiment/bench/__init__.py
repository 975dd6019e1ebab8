"""How good the skill is, measured beside reference methods: python -m parlour_finance_sentiment.bench --data DIR."""
