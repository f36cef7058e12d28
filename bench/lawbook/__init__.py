"""What bench/lawful.py is made of: a world in plain dictionaries, random cases, an oracle."""
