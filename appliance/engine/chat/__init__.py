"""How a conversation becomes a prompt, and what an answer says, thinks and calls: both as the model's family has it."""
