"""How a conversation becomes a prompt: each model file brings its own format as a Jinja template."""
