"""A client of chat servers: requests, replies, admission, retries."""
