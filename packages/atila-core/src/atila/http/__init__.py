"""One request and its answer; knows no app, no site and no thread."""
