"""The figures of results.md: what a run costs, counted on the local stack."""
