"""Judging answers: questions, metrics, baselines, the runner and its reports."""
