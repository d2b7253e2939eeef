"""Studies: many paired training runs, their evaluation, and a report of both."""
