"""Where passages lie and are found."""
