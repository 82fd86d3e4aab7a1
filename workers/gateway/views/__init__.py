"""What the API and the live page show of a run: pure folds of its facts into JSON-ready views."""
