"""The text that the embedded model learns: topics in two languages, and the grammar that varies their wording."""
