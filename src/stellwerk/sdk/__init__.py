"""What a user's file imports: definitions, futures and the port to whoever runs them."""
