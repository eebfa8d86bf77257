"""How far a student's scores can be trusted: calibration, thresholds, intervals."""
