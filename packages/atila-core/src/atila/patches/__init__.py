"""Extensions of other frameworks, under the names of the specification."""
