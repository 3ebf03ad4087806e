"""One query, stage by stage: plan -> postings -> series -> chunks -> merge -> frames."""
