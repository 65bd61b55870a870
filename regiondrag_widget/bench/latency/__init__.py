"""How long edits take, and what each lever is worth: rows measured in turn, so that noise hits all alike."""
