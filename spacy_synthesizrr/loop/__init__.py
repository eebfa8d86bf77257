"""The S3 loop: a student's errors on labelled rows become parents of new rows, and a fresh student is trained on all of them."""
