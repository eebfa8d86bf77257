"""What the step `measure` measures, section by section: sets of rows side by side, at equal size, beside gold."""
