"""What is shown where: a surface is a file that lists its parts."""
